"""Answers calls that open or change files."""

from __future__ import annotations

import errno
import os
from functools import partial
from pathlib import Path

from keepwall.decide.paths import PathSet
from keepwall.enforce.runtime import attributes, calls, capabilities, opens, processes
from keepwall.enforce.runtime.calls import Open
from keepwall.enforce.runtime.landlock import TRUNCATE_SINCE, Access
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.opens import Broker, Refused
from keepwall.enforce.runtime.plan import RunPlan
from keepwall.enforce.runtime.policy import FilePolicy, Use
from keepwall.enforce.runtime.program_calls import ProgramCalls
from keepwall.enforce.runtime.report import Reporter
from keepwall.enforce.runtime.resolve import AT_FDCWD, absolute, is_anonymous, signed
from keepwall.enforce.runtime.waiting import Waiters
from keepwall.enforce.runtime.witness import Witness
from keepwall.vocabulary.envelope import Mode, PathRule

_MOST_QUIET = 16_384
_MOST_TRIES = 16
_MARKS = {Use.READ: Access.READ_FILE, Use.WRITE: Access.WRITE_FILE, Use.EXECUTE: Access.EXECUTE}


class FileCalls:
    """Explains what Landlock decides and does what the plan leaves to the supervisor."""

    def __init__(self, plan: RunPlan, listener: Listener, reporter: Reporter) -> None:
        if plan.files is None:
            raise ValueError("the plan has no file policy")
        self._policy: FilePolicy = plan.files
        self._listener = listener
        self._observe = plan.envelope.mode is Mode.OBSERVE
        self._witness = Witness(
            listener, reporter, observe=self._observe, landlock=plan.support.landlock > 0
        )
        self._programs = ProgramCalls(plan, self._policy, self._witness)
        self._brokered = plan.brokered
        self._granted = {use: _granted(plan, use) for use in Use}
        self._truncates = plan.support.landlock < TRUNCATE_SINCE
        self._broker = Broker(self._policy, plan.denied_objects, self._witness.own)
        process = plan.envelope.process
        kept = capabilities.numbers(process.capabilities if process else ())
        self._narrowed = capabilities.Narrowed(kept)
        self._waiters = Waiters()
        self._quiet: set[tuple[str, tuple[Use, ...]]] = set()

    def answer(self, call: StoppedCall, name: str) -> None:
        """Answer one call; raises OSError where the caller's memory or self is gone."""
        if name in calls.OPENS:
            self._open(call, calls.parse_open(self._listener, call, name))
        elif name in calls.PROGRAMS:
            self._programs.answer(call, name)
        elif name in attributes.SHAPES:
            self._alter(call, name)
        else:
            self._change(call, name)

    def strayed(self, call: StoppedCall) -> bool:
        """Return whether the caller became a program that it was not allowed to become."""
        return self._programs.strayed(call)

    def close(self) -> None:
        """Do nothing: opens that still wait have no caller any more."""

    def _open(self, call: StoppedCall, wanted: Open) -> None:
        uses = wanted.uses
        if self._truncates and not self._observe and wanted.evades_landlock:
            self._listener.refuse(call, errno.ENOSYS)
            return
        if not uses:
            self._listener.proceed(call)
            return
        asked = absolute(call.thread, wanted.directory, wanted.path)
        key = (asked, uses)
        if key in self._quiet:
            self._listener.proceed(call)
            return
        follow = not wanted.flags & os.O_NOFOLLOW
        real = self._witness.follow(call, asked, follow=follow)
        path = self._witness.own(real)
        if path.startswith("/proc/self/") and is_anonymous(real):
            self._listener.proceed(call)  # a pipe of its own, which Landlock never refuses
            return
        verdicts = [(use, self._policy.decide(use, path)) for use in uses]
        for use, verdict in verdicts:
            if not verdict.allowed:
                creates = bool(wanted.flags & os.O_CREAT)
                self._witness.explain(call, use, real, verdict, creates=creates)
                return
        watched = self._witness.watch(call, verdicts, path)
        if self._observe or all(self._granted[use].match(path) for use in uses):
            if not watched:
                self._remember(key, path)
            self._listener.proceed(call)
        elif self._brokered.match(path) or Use.WRITE in uses:
            self._hand_over(call, wanted, real)
        else:
            self._listener.proceed(call)

    def _hand_over(self, call: StoppedCall, wanted: Open, real: str) -> None:
        """Open for the caller, as the caller, and give it the descriptor."""
        if wanted.careful:
            self._listener.refuse(call, errno.ENOSYS)  # callers fall back to openat
            return
        rights = self._rights(call)
        try:
            with self._narrowed:
                pinned, created = self._find(wanted, real, rights.umask)
        except Refused as refused:
            self._witness.refuse(call, wanted.uses[0], refused.path, refused.verdict)
            return
        if created:
            self._give(call, wanted, pinned)
        elif opens.may_wait(pinned):
            self._waiters.run(partial(self._reopen, call, wanted, pinned))
        else:
            self._reopen(call, wanted, pinned)

    def _find(self, wanted: Open, real: str, umask: int) -> tuple[int, bool]:
        """Return a pinned object, or a new file and True."""
        uses = wanted.uses
        for _ in range(_MOST_TRIES):
            try:
                return self._broker.pin(real, uses), False
            except FileNotFoundError:
                if not wanted.flags & os.O_CREAT:
                    raise
            try:
                return self._broker.create(wanted, real, umask), True
            except FileExistsError:
                if wanted.flags & os.O_EXCL:
                    raise
        raise OSError(errno.EAGAIN, "it comes and goes")

    def _reopen(self, call: StoppedCall, wanted: Open, pinned: int) -> None:
        try:
            with self._narrowed:
                fd = self._broker.reopen(pinned, wanted)
        except OSError as error:
            self._listener.refuse(call, error.errno or errno.EACCES)
        else:
            self._give(call, wanted, fd)
        finally:
            os.close(pinned)

    def _give(self, call: StoppedCall, wanted: Open, fd: int) -> None:
        try:
            self._listener.give(call, fd, close_on_exec=bool(wanted.flags & os.O_CLOEXEC))
        except OSError as error:
            self._listener.refuse(call, error.errno or errno.EACCES)
        finally:
            os.close(fd)

    def _alter(self, call: StoppedCall, name: str) -> None:
        """Change a mode, owner, time or length for the caller, as the caller."""
        use = attributes.SHAPES[name].use
        wanted = attributes.target(self._listener, call, name)
        process = processes.group_of(call.thread)
        with self._narrowed:
            pinned = self._target(call, wanted, process)
            try:
                self._broker.check(pinned, use)
                if self._observe:
                    self._listener.proceed(call)
                    return
                self._rights(call)
                if name == "inotify_add_watch":
                    value = self._add_watch(call, process, pinned)
                else:
                    value = attributes.change(self._listener, call, name, pinned)
                self._listener.succeed(call, value)
            except Refused as refused:
                self._witness.refuse(call, use, refused.path, refused.verdict)
            finally:
                os.close(pinned)

    def _target(self, call: StoppedCall, wanted: attributes.Target, process: int) -> int:
        if wanted.path is None:
            return processes.duplicate(process, wanted.directory)
        real = self._witness.resolve(call, wanted.directory, wanted.path, follow=wanted.follow)
        return os.open(real, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)

    def _add_watch(self, call: StoppedCall, process: int, pinned: int) -> int:
        inotify = processes.duplicate(process, signed(call.arguments[0]))
        try:
            return attributes.watch(inotify, pinned, call.arguments[2])
        finally:
            os.close(inotify)

    def _rights(self, call: StoppedCall) -> processes.Rights:
        """Return as whom the caller acts; raises OSError where we cannot act as the same."""
        rights = processes.rights(call.thread)
        if not rights.ours:
            raise PermissionError(errno.EACCES, "the caller has become another user")
        return rights

    def _change(self, call: StoppedCall, name: str) -> None:
        """Explain a change of the tree, on which Landlock decides."""
        for argument in calls.CHANGES.get(name, ()):
            directory = AT_FDCWD
            if argument.directory >= 0:
                directory = signed(call.arguments[argument.directory])
            asked = self._listener.string(call, call.arguments[argument.path])
            real = self._witness.resolve(call, directory, asked, follow=False)
            if name.startswith(("mk", "symlink")) and os.path.lexists(real):
                break  # the kernel says EEXIST before it asks whether it may
            verdict = self._policy.decide(Use.WRITE, self._witness.own(real))
            if not verdict.allowed:
                creates = not name.startswith(("unlink", "rmdir"))
                self._witness.explain(call, Use.WRITE, real, verdict, creates=creates)
                return
        self._listener.proceed(call)

    def _remember(self, key: tuple[str, tuple[Use, ...]], path: str) -> None:
        """Skip the look next time, where the subject cannot turn the path into another one."""
        asked = key[0]
        if ".." in asked or asked.startswith("/proc/") or len(self._quiet) >= _MOST_QUIET:
            return
        writable = self._policy.allowed[Use.WRITE]
        if not writable.match(asked) and not writable.match(path):
            self._quiet.add(key)


def _granted(plan: RunPlan, use: Use) -> PathSet:
    """Return where the kernel itself decides about `use`."""
    rules = {}
    for path, access in plan.grants:
        if access & _MARKS[use]:
            key = path.rstrip("/") + "/**" if Path(path).is_dir() else path
            rules[key] = PathRule(key)
    return PathSet(rules)
