"""What one envelope answers about files and sockets, in the subject's own root."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from keepwall.decide.addresses import Address, AddressSet
from keepwall.decide.paths import PathSet
from keepwall.enforce.runtime.names import settled
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import (
    AddressRule,
    Envelope,
    FileSection,
    NetworkSection,
    PathRule,
    ProcessSection,
)


class Use(StrEnum):
    """What is done with a path; the words are the lists of an envelope."""

    READ = "file.read"
    WRITE = "file.write"
    EXECUTE = "process.allow"


@dataclass(frozen=True, slots=True)
class Verdict:
    """An answer, and the rule (``list:what it names``) that gave it."""

    effect: Effect
    rule: str

    @property
    def allowed(self) -> bool:
        """Whether it may happen, watched or not."""
        return self.effect is not Effect.DENY


@dataclass(frozen=True, slots=True)
class FilePolicy:
    """Allows and denials of paths; deny beats allow."""

    allowed: dict[Use, PathSet]
    denied: dict[Use, PathSet]
    defaults: dict[Use, Effect]

    @classmethod
    def of(cls, envelope: Envelope, baseline: Sequence[tuple[Use, str]]) -> FilePolicy:
        """Return the policy of `envelope`, with what every process needs (`baseline`) allowed."""
        file = envelope.file or FileSection()
        process = envelope.process or ProcessSection()
        # The kernel opens a program for reading before it starts it: a program is readable.
        read = (*file.read, *(rule for rule in process.allow if rule.action is not Effect.DENY))
        lists = {Use.READ: read, Use.WRITE: file.write, Use.EXECUTE: process.allow}
        needed = {use: [PathRule(path) for each, path in baseline if each is use] for use in Use}
        writable = writable_places(file)
        allowed = {
            use: PathSet.of(
                [*(rule for rule in rules if _allows_everyone(rule)), *needed[use]],
                lambda path: settled(path, writable) or path,
            )
            for use, rules in lists.items()
        }
        unreadable = [rule for rule in file.read if rule.action is Effect.DENY]
        refused = {
            Use.READ: unreadable,
            Use.WRITE: [rule for rule in file.write if rule.action is Effect.DENY],
            # What may not be read may not be started: starting reads.
            Use.EXECUTE: [*unreadable, *(r for r in process.allow if r.action is Effect.DENY)],
        }
        denied = {
            use: PathSet.of([*file.deny, *rules], os.path.realpath)
            for use, rules in refused.items()
        }
        defaults = {
            Use.READ: file.default,
            Use.WRITE: file.default,
            Use.EXECUTE: process.default,
        }
        return cls(allowed, denied, defaults)

    def decide(self, use: Use, path: str) -> Verdict:
        """Return the answer for an absolute, resolved path."""
        if rule := self.denied[use].match(path):
            name = "file.deny" if rule.action is not Effect.DENY else use
            return Verdict(Effect.DENY, f"{name}:{rule.path}")
        if rule := self.allowed[use].match(path):
            return Verdict(rule.action, f"{use}:{rule.path}")
        return Verdict(self.defaults[use], f"{use}:default")


def writable_places(file: FileSection) -> PathSet:
    """Return where the subject may write, and so may make links."""
    return PathSet.of(
        [rule for rule in file.write if rule.action is not Effect.DENY], os.path.realpath
    )


def _allows_everyone(rule: PathRule) -> bool:
    """Return whether a rule allows without a condition, for conditions are beyond this tier."""
    return rule.action is not Effect.DENY and not rule.source and not rule.owner


@dataclass(frozen=True, slots=True)
class NetworkPolicy:
    """Whom the subject may reach and where it may listen, by address."""

    egress: AddressSet
    listen: AddressSet
    default: Effect

    @classmethod
    def of(cls, section: NetworkSection | None) -> NetworkPolicy:
        """Return the policy of a section; without one, nothing may be reached."""
        section = section or NetworkSection()
        return cls(AddressSet.of(section.egress), AddressSet.of(section.listen), section.default)

    def reach(self, address: Address, port: int) -> Verdict:
        """Return the answer to connecting to a peer."""
        return self._answer("network.egress", self.egress, address, port)

    def offer(self, address: Address, port: int) -> Verdict:
        """Return the answer to listening on an own address; the unspecified one means all."""
        return self._answer("network.listen", self.listen, address, port)

    def _answer(self, name: str, rules: AddressSet, address: Address, port: int) -> Verdict:
        rule = rules.match(address, port)
        if rule is None:
            return Verdict(self.default, f"{name}:default")
        return Verdict(rule.action, rule_name(name, rule))


def rule_name(section: str, rule: AddressRule) -> str:
    """Return the name of an address rule as verdicts and `--accept-weaker` spell it."""
    ports = ",".join(str(port) for port in rule.ports) or "*"
    return f"{section}:{rule.peer}:{ports}"
