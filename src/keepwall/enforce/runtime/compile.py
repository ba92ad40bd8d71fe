"""Compiles an envelope for one run on this kernel: a plan, and one outcome for every rule."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from keepwall.decide.addresses import is_name
from keepwall.decide.paths import PathSet, base, is_tree
from keepwall.enforce.runtime import elf, names, tables
from keepwall.enforce.runtime.landlock import READ, WRITE, Access
from keepwall.enforce.runtime.plan import HostSupport, RunPlan
from keepwall.enforce.runtime.policy import (
    FilePolicy,
    NetworkPolicy,
    Use,
    rule_name,
    writable_places,
)
from keepwall.vocabulary.decision import Effect, Plane, RuleOutcome, Strength, Tier
from keepwall.vocabulary.envelope import (
    Envelope,
    FileSection,
    NetworkSection,
    PathRule,
    ProcessSection,
)

_MOST_SIBLINGS = 4_096
_LOADERS = ("/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1", "/lib/ld-musl-x86_64.so.1")
_PROGRAM = Access.EXECUTE | Access.READ_FILE
_RIGHTS = {Use.READ: READ, Use.WRITE: WRITE, Use.EXECUTE: _PROGRAM}


def baseline() -> Iterator[tuple[Use, str]]:
    """Yield what every process needs, as (list, path)."""
    for use, path in tables.rows("baseline.tsv"):
        yield Use(use), path


def plan(envelope: Envelope, support: HostSupport) -> RunPlan:
    """Return the plan of `envelope` on a host with `support`; reads the file system only.

    Every rule of every listed plane has an outcome; what this plane does not carry is `blind`.
    """
    runtime, network = Plane.RUNTIME in envelope.planes, Plane.NETWORK in envelope.planes
    maker = _Files(envelope, support) if runtime else None
    outcomes = list(maker.outcomes()) if maker else []
    if network:
        outcomes += _network_outcomes(envelope.network or NetworkSection(), support)
    outcomes += [
        RuleOutcome(
            f"plane:{plane}", plane, Tier.NONE, Strength.BLIND, "not a plane of this command"
        )
        for plane in envelope.planes
        if plane not in (Plane.RUNTIME, Plane.NETWORK)
    ]
    return RunPlan(
        envelope=envelope,
        files=maker.policy if maker else None,
        network=NetworkPolicy.of(envelope.network) if network else None,
        grants=tuple(maker.grants) if maker else (),
        brokered=PathSet({rule.path: rule for rule in maker.brokered}) if maker else PathSet(),
        loaders=maker.loaders if maker else frozenset(),
        denied_objects=maker.denied_objects if maker else frozenset(),
        outcomes=tuple(outcomes),
        support=support,
    )


class _Files:
    """Sorts path rules into those that Landlock carries and those that the supervisor must."""

    def __init__(self, envelope: Envelope, support: HostSupport) -> None:
        self._file = envelope.file or FileSection()
        self._process = envelope.process or ProcessSection()
        self._support = support
        self._denied = names.denied(
            [*self._file.deny, *_by(self._file.read, deny=True)],
            [
                rule.path
                for rules in (self._file.read, self._file.write, self._process.allow)
                for rule in _by(rules, deny=False)
            ],
        )
        elsewhere = tuple(PathRule(path, Effect.DENY) for path in self._denied.elsewhere)
        deny = (*self._file.deny, *elsewhere)
        self.policy = FilePolicy.of(
            replace(envelope, file=replace(self._file, deny=deny)), tuple(baseline())
        )
        self._writable = writable_places(self._file)
        self.grants: list[tuple[str, Access]] = []
        self.brokered: list[PathRule] = []
        self.loaders = self._find_loaders()

    @property
    def denied_objects(self) -> frozenset[names.Identity]:
        """What is denied, as objects."""
        return self._denied.objects

    def outcomes(self) -> Iterator[RuleOutcome]:
        """Yield an outcome for every rule, and fill `grants` and `brokered` on the way."""
        for use, path in baseline():
            yield self._carry(use, PathRule(path), f"baseline:{use}:{path}")
        lists = (
            (Use.READ, self._file.read, self._file.default),
            (Use.WRITE, self._file.write, self._file.default),
            (Use.EXECUTE, self._process.allow, self._process.default),
        )
        for use, rules, default in lists:
            for rule in rules:
                if rule.action is not Effect.DENY:
                    yield self._carry(use, rule, f"{use}:{rule.path}")
                else:
                    yield self._deny(rule, f"{use}:{rule.path}")
            if default is not Effect.DENY:
                yield self._carry(use, PathRule("/**", default), f"{use}:default")
            else:
                yield self._landlocked(f"{use}:default", "what no rule names is refused")
        for rule in self._file.deny:
            yield self._deny(rule, f"file.deny:{rule.path}")
        yield RuleOutcome(
            "process.loader",
            Plane.RUNTIME,
            Tier.SECCOMP if self._support.notify else Tier.NONE,
            Strength.KILLED_LATE if self._support.notify else Strength.BLIND,
            "a readable program can be handed to the dynamic loader; its start is seen and killed",
        )
        self.grants += [(loader, _PROGRAM) for loader in self.loaders]

    def _landlocked(self, name: str, why: str = "") -> RuleOutcome:
        if self._support.landlock:
            return RuleOutcome(name, Plane.RUNTIME, Tier.LANDLOCK, Strength.PREVENTED, why)
        return RuleOutcome(
            name, Plane.RUNTIME, Tier.NONE, Strength.BLIND, "this kernel has no Landlock"
        )

    def _broker(self, name: str, why: str) -> RuleOutcome:
        if self._support.notify and self._support.landlock:
            return RuleOutcome(name, Plane.RUNTIME, Tier.BROKER, Strength.PREVENTED, why)
        return RuleOutcome(
            name, Plane.RUNTIME, Tier.NONE, Strength.BLIND, "no seccomp listener can be had here"
        )

    def _carry(self, use: Use, rule: PathRule, name: str) -> RuleOutcome:
        """Carry one allow: by Landlock where its subtree rules can say it, else by the broker."""
        if rule.source or rule.owner:
            return RuleOutcome(
                name,
                Plane.RUNTIME,
                Tier.NONE,
                Strength.BLIND,
                "'from' and 'owner' need the kernel plane (BPF-LSM)",
            )
        if rule.path == "/proc/self/**":
            self.brokered.append(rule)
            return self._broker(name, "each process sees its own entry only")
        path = names.settled(base(rule.path), self._writable)
        if not path:
            why = "a link on the way lies where the subject may write; name what it points to"
            return RuleOutcome(name, Plane.RUNTIME, Tier.NONE, Strength.BLIND, why)
        if self.policy.denied[use].match(path):
            return self._landlocked(name, "denied by another rule, so nothing is granted")
        found = _kind(path)
        if not found and (use is Use.EXECUTE or is_tree(rule.path)):
            return self._landlocked(name, "nothing is there now, so nothing is granted")
        if found == stat.S_IFDIR and is_tree(rule.path):
            return self._carry_tree(use, path, rule.action, name)
        if use is Use.EXECUTE or (found and found != stat.S_IFDIR):
            self.grants.append((path, _RIGHTS[use]))
            return self._landlocked(name)
        self.brokered.append(PathRule(path, rule.action))
        why = "Landlock would open the whole subtree" if found else "not there at the start"
        return self._broker(name, f"opened by the supervisor: {why}")

    def _carry_tree(self, use: Use, path: str, action: Effect, name: str) -> RuleOutcome:
        """Grant a directory whole, or around what is denied inside it, entry by entry."""
        if not any(self.policy.denied[use].beneath(path)):
            self.grants.append((path, _RIGHTS[use]))
            return self._landlocked(name)
        if use is Use.READ:
            self.brokered.append(PathRule(path.rstrip("/") + "/**", action))
        around = list(self._around(use, path))
        if len(around) > _MOST_SIBLINGS:
            if use is Use.READ:
                return self._broker(name, "opened by the supervisor: something inside is denied")
            why = f"over {_MOST_SIBLINGS} entries stand beside what is denied"
            return RuleOutcome(name, Plane.RUNTIME, Tier.NONE, Strength.BLIND, why)
        self.grants += [(each, _RIGHTS[use]) for each in around]
        return self._landlocked(name, "granted entry by entry around what is denied inside")

    def _around(self, use: Use, directory: str) -> Iterator[str]:
        """Yield the entries that hold nothing denied, walking down only towards what is denied."""
        denied = self.policy.denied[use]
        try:
            entries = sorted(os.scandir(directory), key=lambda entry: entry.name)
        except OSError:
            return
        for entry in entries:
            if denied.match(entry.path):
                continue
            if any(denied.beneath(entry.path)):
                yield from self._around(use, entry.path)
            elif not entry.is_symlink():
                yield entry.path

    def _deny(self, rule: PathRule, name: str) -> RuleOutcome:
        """A denial holds by itself unless something allowed encloses it."""
        top = os.path.realpath(base(rule.path))
        enclosing = {use: found for use in Use if (found := self.policy.allowed[use].match(top))}
        if not enclosing:
            return self._landlocked(name, "nothing that is allowed encloses it")
        if not self._denied.complete:
            why = "too many files to look for other names (hard links) of what is denied"
            return RuleOutcome(name, Plane.RUNTIME, Tier.BROKER, Strength.SEEN_ONLY, why)
        inside = ", ".join(sorted({found.path for found in enclosing.values()}))
        return self._broker(name, f"carved out of {inside}")

    def _find_loaders(self) -> frozenset[str]:
        found = {os.path.realpath(path) for path in _LOADERS if Path(path).exists()}
        for rule in self._process.allow:
            if not is_tree(rule.path):
                name = elf.interpreter(Path(rule.path))
                if "/ld-" in name or "/ld." in name:
                    found.add(os.path.realpath(name))
        return frozenset(found)


def _by(rules: Sequence[PathRule], *, deny: bool) -> Iterator[PathRule]:
    return (rule for rule in rules if (rule.action is Effect.DENY) is deny)


def _kind(path: str) -> int:
    """Return the file type of what is at `path` (S_IFDIR, S_IFREG, …), or 0 for nothing."""
    try:
        return stat.S_IFMT(os.stat(path).st_mode)
    except OSError:
        return 0


def _network_outcomes(section: NetworkSection, support: HostSupport) -> Iterator[RuleOutcome]:
    """Yield an outcome for every address rule; names and inbound peers are beyond this tier."""

    def brokered(name: str, why: str = "") -> RuleOutcome:
        if support.notify:
            return RuleOutcome(name, Plane.NETWORK, Tier.BROKER, Strength.PREVENTED, why)
        why = "no seccomp listener can be had here"
        return RuleOutcome(name, Plane.NETWORK, Tier.NONE, Strength.BLIND, why)

    for rule in section.egress:
        name = rule_name("network.egress", rule)
        if is_name(rule.peer):
            why = "host names need the egress proxy; write the address"
            yield RuleOutcome(name, Plane.NETWORK, Tier.NONE, Strength.BLIND, why)
        else:
            yield brokered(name, "the supervisor connects for the subject; TCP only")
    for rule in section.ingress:
        name = rule_name("network.ingress", rule)
        why = "nothing here sees who connects; restrict where it listens"
        yield RuleOutcome(name, Plane.NETWORK, Tier.NONE, Strength.BLIND, why)
    for rule in section.listen:
        name = rule_name("network.listen", rule)
        if is_name(rule.peer):
            why = "listen needs an address"
            yield RuleOutcome(name, Plane.NETWORK, Tier.NONE, Strength.BLIND, why)
        else:
            yield brokered(name, "the supervisor binds for the subject")
    yield brokered("network:default", "what no rule names is refused; UDP and raw sockets always")
