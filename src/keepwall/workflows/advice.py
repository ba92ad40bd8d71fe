"""What is odd about an envelope although it is valid: rules that do nothing here and now."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from keepwall.decide.addresses import network
from keepwall.decide.paths import base, covers, is_tree
from keepwall.vocabulary.decision import Effect, Plane
from keepwall.vocabulary.envelope import (
    AddressRule,
    Envelope,
    FileSection,
    NetworkSection,
    PathRule,
    ProcessSection,
)

_MISSING = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True, order=True)
class Advice:
    """One line for a person, and the line of the file that it is about (0 for none)."""

    line: int
    text: str


def advice(envelope: Envelope) -> Sequence[Advice]:
    """Return what a reader should look at, in the order of the file; looks at paths, opens none."""
    found = [*_contradictions(envelope)]
    # The paths of a workload, image or agent elsewhere are in another root than ours.
    here = not envelope.subject.name or bool(envelope.subject.unit)
    if Plane.RUNTIME in envelope.planes and here:
        found += _nothing_there(envelope)
    return sorted(set(found))


def _nothing_there(envelope: Envelope) -> Iterator[Advice]:
    file = envelope.file or FileSection()
    process = envelope.process or ProcessSection()
    for rule in _allows((*file.read, *process.allow)):
        if _missing(base(rule.path)):
            yield Advice(rule.line, f"{rule.path} matches nothing now")
    for rule in _allows(file.write):
        # A file is written where there was none; its directory must be there.
        place = base(rule.path) if is_tree(rule.path) else str(Path(rule.path).parent)
        if _missing(place):
            yield Advice(rule.line, f"{rule.path} matches nothing now: there is no {place}")


def _missing(path: str) -> bool:
    """Return whether there is surely nothing at `path`; what may not be looked at may be there."""
    try:
        Path(path).lstat()
    except OSError as error:
        return error.errno in _MISSING
    return False


def _contradictions(envelope: Envelope) -> Iterator[Advice]:
    file = envelope.file or FileSection()
    process = envelope.process or ProcessSection()
    for name, rules in (
        ("file.read", file.read),
        ("file.write", file.write),
        ("process.allow", process.allow),
    ):
        denials = [*file.deny, *(rule for rule in rules if rule.action is Effect.DENY)]
        for rule in _allows(rules):
            for deny in denials:
                if covers(deny.path, rule.path) and deny.source in ("", rule.source):
                    yield Advice(
                        rule.line,
                        f"{name} allows {rule.path}, but line {deny.line} denies all of it",
                    )
                    break
    section = envelope.network or NetworkSection()
    for name, peers in (
        ("network.egress", section.egress),
        ("network.ingress", section.ingress),
        ("network.listen", section.listen),
    ):
        yield from _closed_peers(name, peers)


def _closed_peers(name: str, rules: Sequence[AddressRule]) -> Iterator[Advice]:
    denials = [rule for rule in rules if rule.action is Effect.DENY]
    for rule in rules:
        for deny in denials if rule.action is not Effect.DENY else ():
            if _covers_peer(deny.peer, rule.peer) and _covers_ports(deny.ports, rule.ports):
                said = f"{name} allows {rule.peer}, but line {deny.line} denies all of it"
                yield Advice(rule.line, said)
                break


def _covers_peer(wide: str, narrow: str) -> bool:
    if wide in ("*", narrow):
        return True
    a, b = network(wide), network(narrow)
    if a is None or b is None or a.version != b.version:
        return False
    return a.overlaps(b) and a.prefixlen <= b.prefixlen


def _covers_ports(wide: tuple[int, ...], narrow: tuple[int, ...]) -> bool:
    return not wide or (bool(narrow) and set(narrow) <= set(wide))


def _allows(rules: Iterable[PathRule]) -> Iterator[PathRule]:
    return (rule for rule in rules if rule.action is not Effect.DENY)
