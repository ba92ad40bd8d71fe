"""Answers calls that open, start or change files."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from keepwall.content.sensitive_paths import is_sensitive
from keepwall.decide.paths import PathSet
from keepwall.enforce.runtime import calls, elf, processes
from keepwall.enforce.runtime.calls import Open
from keepwall.enforce.runtime.landlock import Access
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.opens import Broker, Refused
from keepwall.enforce.runtime.plan import RunPlan
from keepwall.enforce.runtime.policy import FilePolicy, Use, Verdict
from keepwall.enforce.runtime.report import Reporter, Sighting
from keepwall.enforce.runtime.resolve import AT_FDCWD, absolute, in_own_words, resolve, signed
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.envelope import Mode, PathRule
from keepwall.vocabulary.event import Activity

_MOST_QUIET = 16_384
_MFD_NOEXEC_SEAL, _MFD_EXEC = 0x8, 0x10
_ACTIVITY = {Use.READ: Activity.READ, Use.WRITE: Activity.WRITE, Use.EXECUTE: Activity.EXECUTE}
_MARKS = {Use.READ: Access.READ_FILE, Use.WRITE: Access.WRITE_FILE, Use.EXECUTE: Access.EXECUTE}


class FileCalls:
    """Explains what Landlock decides and opens what the plan leaves to the supervisor."""

    def __init__(self, plan: RunPlan, listener: Listener, child: int, reporter: Reporter) -> None:
        if plan.files is None:
            raise ValueError("the plan has no file policy")
        self._policy: FilePolicy = plan.files
        self._listener = listener
        self._child = child
        self._reporter = reporter
        self._observe = plan.envelope.mode is Mode.OBSERVE
        self._loaders = plan.loaders
        self._brokered = plan.brokered
        self._granted = {use: _granted(plan, use) for use in Use}
        self._broker = Broker(self._policy, plan.denied_objects, self._own)
        self._quiet: set[tuple[str, tuple[Use, ...]]] = set()
        self._started: set[int] = set()

    def answer(self, call: StoppedCall, name: str) -> None:
        """Answer one call; raises OSError where the caller's memory or self is gone."""
        if name in calls.OPENS:
            self._open(call, calls.parse_open(self._listener, call, name))
        elif name == "memfd_create":
            self._memory_file(call)
        elif name in calls.PROGRAMS:
            self._execute(call, name)
        else:
            self._change(call, name)

    def strayed(self, call: StoppedCall) -> bool:
        """Return whether the caller became a program that it was not allowed to become.

        Looked at once after each start, by what the kernel says runs there, not by what was asked.
        """
        if call.thread not in self._started:
            return False
        self._started.discard(call.thread)
        program = os.readlink(f"/proc/{call.thread}/exe")
        verdict = self._policy.decide(Use.EXECUTE, program)
        if program not in self._loaders and verdict.allowed:
            return False
        if self._observe:
            return False
        rule = "process.loader" if program in self._loaders else verdict.rule
        self._report(
            call, Use.EXECUTE, program, Effect.DENY, rule, Strength.KILLED_LATE, Tier.SECCOMP
        )
        return True

    def close(self) -> None:
        """Do nothing: no call is left waiting."""

    def _open(self, call: StoppedCall, wanted: Open) -> None:
        uses = wanted.uses
        if not uses:
            self._listener.proceed(call)
            return
        asked = absolute(call.thread, wanted.directory, wanted.path)
        key = (asked, uses)
        if key in self._quiet:
            self._listener.proceed(call)
            return
        real = self._resolve(call, asked, follow_last=not wanted.flags & os.O_NOFOLLOW)
        path = self._own(real)
        verdicts = [(use, self._policy.decide(use, path)) for use in uses]
        for use, verdict in verdicts:
            if not verdict.allowed:
                self._explain(call, use, real, verdict, creates=bool(wanted.flags & os.O_CREAT))
                return
        watched = self._watch(call, verdicts, path)
        if self._observe or all(self._granted[use].match(path) for use in uses):
            if not watched:
                self._remember(key, path)
            self._listener.proceed(call)
        elif self._brokered.match(path) or Use.WRITE in uses:
            self._hand_over(call, wanted, real, path)
        else:
            self._listener.proceed(call)

    def _explain(
        self,
        call: StoppedCall,
        use: Use,
        real: str,
        verdict: Verdict,
        *,
        creates: bool,
    ) -> None:
        """Report a refusal that the kernel is about to make, and let the kernel make it."""
        if os.path.lexists(real) or (creates and Path(real).parent.is_dir()):
            effect = Effect.AUDIT if self._observe else Effect.DENY
            strength = Strength.SEEN_ONLY if self._observe else Strength.PREVENTED
            self._report(call, use, self._own(real), effect, verdict.rule, strength, Tier.LANDLOCK)
        self._listener.proceed(call)

    def _watch(self, call: StoppedCall, verdicts: list[tuple[Use, Verdict]], path: str) -> bool:
        """Report what is allowed but worth knowing: audited rules and places of credentials."""
        sensitive = is_sensitive(path)
        for use, verdict in verdicts:
            if verdict.effect is Effect.AUDIT or sensitive:
                if os.path.exists(path):
                    self._report(
                        call,
                        use,
                        path,
                        Effect.AUDIT,
                        verdict.rule,
                        Strength.SEEN_ONLY,
                        Tier.SECCOMP,
                    )
                return True
        return False

    def _hand_over(self, call: StoppedCall, wanted: Open, real: str, path: str) -> None:
        if wanted.careful:
            self._listener.refuse(call, errno.ENOSYS)  # callers fall back to openat
            return
        try:
            fd = self._broker.open(wanted, real)
        except Refused as refused:
            use = wanted.uses[0]
            self._report(
                call,
                use,
                refused.path,
                Effect.DENY,
                refused.verdict.rule,
                Strength.PREVENTED,
                Tier.BROKER,
            )
            self._listener.refuse(call, errno.EACCES)
            return
        except OSError as error:
            self._listener.refuse(call, error.errno or errno.EACCES)
            return
        try:
            self._listener.give(call, fd, close_on_exec=bool(wanted.flags & os.O_CLOEXEC))
        finally:
            os.close(fd)

    def _execute(self, call: StoppedCall, name: str) -> None:
        directory, asked, follow = calls.program_path(self._listener, call, name)
        real = self._resolve(call, absolute(call.thread, directory, asked), follow_last=follow)
        path = self._own(real)
        verdict = self._policy.decide(Use.EXECUTE, path)
        script = elf.interpreter(Path(real))
        if verdict.allowed and script and real not in self._loaders:
            program = self._resolve(call, script, follow_last=True)
            if program not in self._loaders:
                inner = self._policy.decide(Use.EXECUTE, program)
                real, path, verdict = (
                    (real, path, verdict) if inner.allowed else (program, program, inner)
                )
        if real in self._loaders and not self._observe:
            self._report(
                call,
                Use.EXECUTE,
                path,
                Effect.DENY,
                "process.loader",
                Strength.KILLED_LATE,
                Tier.SECCOMP,
            )
            self._listener.refuse(call, errno.EACCES)
            return
        if not verdict.allowed:
            self._explain(call, Use.EXECUTE, real, verdict, creates=False)
            return
        self._watch(call, [(Use.EXECUTE, verdict)], path)
        self._started.add(processes.group_of(call.thread))
        self._listener.proceed(call)

    def _memory_file(self, call: StoppedCall) -> None:
        """Make the anonymous file for the caller, sealed against ever being a program (6.3)."""
        name = self._listener.string(call, call.arguments[0])[:249]
        flags = call.arguments[1] & 0xFFFFFFFF
        try:
            fd = os.memfd_create(os.fsdecode(name), flags & ~_MFD_EXEC | _MFD_NOEXEC_SEAL)
        except OSError:
            fd = os.memfd_create(os.fsdecode(name), flags)
        try:
            self._listener.give(call, fd, close_on_exec=bool(flags & os.MFD_CLOEXEC))
        finally:
            os.close(fd)

    def _change(self, call: StoppedCall, name: str) -> None:
        for argument in calls.CHANGES.get(name, ()):
            directory = AT_FDCWD
            if argument.directory >= 0:
                directory = signed(call.arguments[argument.directory])
            asked = self._listener.string(call, call.arguments[argument.path])
            real = self._resolve(call, absolute(call.thread, directory, asked), follow_last=False)
            if name.startswith(("mk", "symlink")) and os.path.lexists(real):
                break  # the kernel says EEXIST before it asks whether it may
            verdict = self._policy.decide(Use.WRITE, self._own(real))
            if not verdict.allowed:
                creates = not name.startswith(("unlink", "rmdir", "truncate"))
                self._explain(call, Use.WRITE, real, verdict, creates=creates)
                return
        self._listener.proceed(call)

    def _resolve(self, call: StoppedCall, path: str, *, follow_last: bool) -> str:
        process = processes.group_of(call.thread)
        return resolve(path, process=process, thread=call.thread, follow_last=follow_last)

    def _own(self, path: str) -> str:
        return in_own_words(path, processes.belongs)

    def _remember(self, key: tuple[str, tuple[Use, ...]], path: str) -> None:
        """Skip the look next time, where the subject cannot turn the path into another one."""
        asked = key[0]
        if ".." in asked or asked.startswith("/proc/") or len(self._quiet) >= _MOST_QUIET:
            return
        if self._policy.allowed[Use.WRITE].match(asked) or self._policy.allowed[Use.WRITE].match(
            path
        ):
            return
        self._quiet.add(key)

    def _report(
        self,
        call: StoppedCall,
        use: Use,
        path: str,
        effect: Effect,
        rule: str,
        strength: Strength,
        tier: Tier,
    ) -> None:
        process = processes.group_of(call.thread)
        activity = _ACTIVITY[use]
        self._reporter.report(
            Sighting(activity, path, effect, rule, Plane.RUNTIME, tier, strength, process)
        )


def _granted(plan: RunPlan, use: Use) -> PathSet:
    """Return where the kernel itself decides about `use`."""
    rules = {}
    for path, access in plan.grants:
        if access & _MARKS[use]:
            key = path.rstrip("/") + "/**" if Path(path).is_dir() else path
            rules[key] = PathRule(key)
    return PathSet(rules)
