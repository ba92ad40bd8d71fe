"""Answers calls that start programs or make anonymous files that could become programs."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from keepwall.enforce.runtime import calls, elf, processes
from keepwall.enforce.runtime.notification import StoppedCall
from keepwall.enforce.runtime.plan import RunPlan
from keepwall.enforce.runtime.policy import FilePolicy, Use, Verdict
from keepwall.enforce.runtime.witness import Witness
from keepwall.vocabulary.decision import Effect, Strength, Tier

_MFD_NOEXEC_SEAL, _MFD_EXEC = 0x8, 0x10
_LONGEST_NAME = 249


class ProgramCalls:
    """Explains what Landlock decides of a start, and looks afterwards at what really started."""

    def __init__(self, plan: RunPlan, policy: FilePolicy, witness: Witness) -> None:
        self._policy = policy
        self._witness = witness
        self._loaders = plan.loaders
        self._started: set[int] = set()

    def answer(self, call: StoppedCall, name: str) -> None:
        """Answer one call; raises OSError where the caller's memory or self is gone."""
        if name == "memfd_create":
            self._memory_file(call)
        else:
            self._execute(call, name)

    def strayed(self, call: StoppedCall) -> bool:
        """Return whether the caller became a program that it was not allowed to become.

        Looked at after each start, by what the kernel says runs there, not by what was asked. A
        process of several threads may still be about to become it, so it is looked at again. Only
        one whose single thread waited in this call all the while cannot be inside a start.
        """
        if call.thread not in self._started:
            return False
        alone = processes.threads_of(call.thread) == 1
        program = os.readlink(f"/proc/{call.thread}/exe")
        if alone and self._witness.listener.valid(call):
            self._started.discard(call.thread)
        verdict = self._policy.decide(Use.EXECUTE, program)
        loader = program in self._loaders
        if self._witness.observe or (verdict.allowed and not loader):
            return False
        rule = "process.loader" if loader else verdict.rule
        late = Strength.KILLED_LATE
        self._witness.report(call, Use.EXECUTE, program, Effect.DENY, rule, late, Tier.SECCOMP)
        return True

    def _execute(self, call: StoppedCall, name: str) -> None:
        # Whatever is said below, what the kernel reads now may be another path: look afterwards.
        self._started.add(processes.group_of(call.thread))
        witness = self._witness
        directory, asked, follow = calls.program_path(witness.listener, call, name)
        real = witness.resolve(call, directory, asked, follow=follow)
        if real in self._loaders:
            witness.refuse(call, Use.EXECUTE, real, Verdict(Effect.DENY, "process.loader"))
            return
        refused, verdict = self._judge(call, real)
        if not verdict.allowed:
            witness.explain(call, Use.EXECUTE, refused, verdict, creates=False)
            return
        witness.watch(call, [(Use.EXECUTE, verdict)], witness.own(real))
        witness.listener.proceed(call)

    def _judge(self, call: StoppedCall, real: str) -> tuple[str, Verdict]:
        """Return the verdict on a program or on the interpreter of a script, and which it is on."""
        verdict = self._policy.decide(Use.EXECUTE, self._witness.own(real))
        script = elf.interpreter(Path(real)) if verdict.allowed else ""
        if script:
            program = self._witness.follow(call, script, follow=True)
            inner = self._policy.decide(Use.EXECUTE, program)
            if program not in self._loaders and not inner.allowed:
                return program, inner
        return real, verdict

    def _memory_file(self, call: StoppedCall) -> None:
        """Make the anonymous file for the caller, sealed against ever being a program (6.3)."""
        listener = self._witness.listener
        name = os.fsdecode(listener.string(call, call.arguments[0])[:_LONGEST_NAME])
        flags = call.arguments[1] & 0xFFFFFFFF
        try:
            fd = os.memfd_create(name, flags & ~_MFD_EXEC | _MFD_NOEXEC_SEAL)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            fd = os.memfd_create(name, flags)  # an older kernel, where `strayed` looks at it
        try:
            listener.give(call, fd, close_on_exec=bool(flags & os.MFD_CLOEXEC))
        finally:
            os.close(fd)
