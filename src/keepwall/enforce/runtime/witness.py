"""Sees a stopped call from the subject's point of view, and tells what became of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from keepwall.content.sensitive_paths import is_sensitive
from keepwall.enforce.runtime import processes
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.policy import Use, Verdict
from keepwall.enforce.runtime.report import Reporter, Sighting
from keepwall.enforce.runtime.resolve import absolute, in_own_words, resolve
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Activity

_ACTIVITY = {Use.READ: Activity.READ, Use.WRITE: Activity.WRITE, Use.EXECUTE: Activity.EXECUTE}


class Witness:
    """Resolves what calls on files are about and reports their answers; decides nothing."""

    def __init__(
        self, listener: Listener, reporter: Reporter, *, observe: bool, landlock: bool
    ) -> None:
        self.listener = listener
        self.observe = observe
        self._landlock = landlock
        self._reporter = reporter

    def resolve(self, call: StoppedCall, directory: int, path: bytes, *, follow: bool) -> str:
        """Return the resolved path that a caller names. Raises OSError: the caller is gone."""
        return self.follow(call, absolute(call.thread, directory, path), follow=follow)

    def follow(self, call: StoppedCall, path: str, *, follow: bool) -> str:
        """Return an absolute path with its links followed as the caller would."""
        process = processes.group_of(call.thread)
        return resolve(path, process=process, thread=call.thread, follow_last=follow)

    def own(self, path: str) -> str:
        """Return ``/proc/self/…`` for an entry of any process of the run."""
        return in_own_words(path, processes.belongs)

    def explain(
        self, call: StoppedCall, use: Use, real: str, verdict: Verdict, *, creates: bool
    ) -> None:
        """Report a refusal that the kernel is about to make, and let the kernel make it.

        A kernel without Landlock makes none: there it is only seen.
        """
        if os.path.lexists(real) or (creates and Path(real).parent.is_dir()):
            tier = Tier.LANDLOCK if self._landlock else Tier.SECCOMP
            self._denied(call, use, self.own(real), verdict, tier)
        self.listener.proceed(call)

    def refuse(self, call: StoppedCall, use: Use, path: str, verdict: Verdict) -> None:
        """Report and make a refusal."""
        self._denied(call, use, path, verdict, Tier.BROKER)
        if self.observe:
            self.listener.proceed(call)
        else:
            self.listener.refuse(call, errno.EACCES)

    def watch(self, call: StoppedCall, verdicts: list[tuple[Use, Verdict]], path: str) -> bool:
        """Report what is allowed but worth knowing: audited rules and places of credentials."""
        sensitive = is_sensitive(path)
        for use, verdict in verdicts:
            if verdict.effect is Effect.AUDIT or sensitive:
                if os.path.exists(path):
                    rule, seen = verdict.rule, Strength.SEEN_ONLY
                    self.report(call, use, path, Effect.AUDIT, rule, seen, Tier.SECCOMP)
                return True
        return False

    def report(
        self,
        call: StoppedCall,
        use: Use,
        path: str,
        effect: Effect,
        rule: str,
        strength: Strength,
        tier: Tier,
    ) -> None:
        """Report one answer."""
        process = processes.group_of(call.thread)
        self._reporter.report(
            Sighting(_ACTIVITY[use], path, effect, rule, Plane.RUNTIME, tier, strength, process)
        )

    def _denied(self, call: StoppedCall, use: Use, path: str, verdict: Verdict, tier: Tier) -> None:
        only_seen = self.observe or tier is Tier.SECCOMP
        effect = Effect.AUDIT if only_seen else Effect.DENY
        strength = Strength.SEEN_ONLY if only_seen else Strength.PREVENTED
        self.report(call, use, path, effect, verdict.rule, strength, tier)
