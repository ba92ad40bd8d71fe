"""What one envelope allows that another does not: by meaning, not by lines.

Rules divide paths, addresses and names into finitely many regions in which every rule either
matches all or nothing. Both envelopes are asked once per region, so the answer is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from keepwall.decide.path_regions import differing_paths
from keepwall.decide.peer_regions import differing_peers
from keepwall.decide.regions import Change, Sign
from keepwall.vocabulary.decision import Effect, Plane
from keepwall.vocabulary.envelope import (
    DataSection,
    Envelope,
    FileSection,
    Mode,
    ModelRule,
    NetworkSection,
    PathRule,
    ProcessSection,
    ToolRule,
)


class Direction(StrEnum):
    """Whether the new envelope allows less, more, or some of each."""

    SAME = "the same"
    NARROWER = "narrower"
    WIDER = "wider"
    BOTH = "narrower and wider"
    REWORDED = "neither narrower nor wider"


@dataclass(frozen=True, slots=True)
class Comparison:
    """The changes, section by section."""

    changes: tuple[Change, ...]

    @property
    def direction(self) -> Direction:
        """What the changes amount to."""
        wider = any(each.sign in (Sign.MORE, Sign.UNSURE) for each in self.changes)
        narrower = any(each.sign in (Sign.LESS, Sign.UNSURE) for each in self.changes)
        if wider and narrower:
            return Direction.BOTH
        if wider or narrower:
            return Direction.WIDER if wider else Direction.NARROWER
        return Direction.REWORDED if self.changes else Direction.SAME


def compare(old: Envelope, new: Envelope) -> Comparison:
    """Return what changes when `new` takes the place of `old`; reads no file system.

    Raises:
        ConfigError: the envelopes are too large to be compared.
    """
    return Comparison(
        (
            *_about(old, new),
            *_process(old, new),
            *_files(old, new),
            *_network(old, new),
            *_models(old, new),
            *_tools(old, new),
            *_data(old, new),
        )
    )


def _about(old: Envelope, new: Envelope) -> Iterable[Change]:
    if old.mode is not new.mode:
        more = new.mode is Mode.OBSERVE
        what = "is only observed: nothing is refused" if more else "is enforced: refusals happen"
        yield Change("mode", Sign.MORE if more else Sign.LESS, what)
    for plane in Plane:
        if plane in new.planes and plane not in old.planes:
            yield Change("planes", Sign.LESS, f"manages {plane}")
        if plane in old.planes and plane not in new.planes:
            yield Change("planes", Sign.MORE, f"leaves {plane} unmanaged")
    facts = (
        ("name", old.name, new.name),
        ("subject", old.subject_name, new.subject_name),
        ("minimumStrength", old.minimum_strength, new.minimum_strength),
        ("labels", _words(old), _words(new)),
    )
    for section, before, after in facts:
        if before != after:
            yield Change(section, Sign.OTHER, f"{before or 'nothing'} → {after or 'nothing'}")


def _words(envelope: Envelope) -> str:
    return ", ".join(f"{key}={value}" for key, value in sorted(envelope.labels.items()))


def _process(old: Envelope, new: Envelope) -> Iterable[Change]:
    before, after = (_process_of(each) for each in (old, new))
    yield from differing_paths(
        "process",
        "start",
        (before.allow, before.default, ()),
        (after.allow, after.default, ()),
    )
    if _managed(old, new, Plane.RUNTIME):
        yield from _sets("process", "the capability", before.capabilities, after.capabilities)


def _process_of(envelope: Envelope) -> ProcessSection:
    if Plane.RUNTIME not in envelope.planes:
        return ProcessSection(default=Effect.ALLOW)
    return envelope.process or ProcessSection()


def _files(old: Envelope, new: Envelope) -> Iterable[Change]:
    before, after = (_file_of(each) for each in (old, new))
    # The kernel reads a program before it starts it: what may be started may be read.
    readable = [_programs(_process_of(each)) for each in (old, new)]
    yield from differing_paths(
        "file",
        "read",
        ((*before.read, *readable[0]), before.default, before.deny),
        ((*after.read, *readable[1]), after.default, after.deny),
    )
    yield from differing_paths(
        "file",
        "write",
        (before.write, before.default, before.deny),
        (after.write, after.default, after.deny),
    )


def _file_of(envelope: Envelope) -> FileSection:
    if Plane.RUNTIME not in envelope.planes:
        return FileSection(default=Effect.ALLOW)
    return envelope.file or FileSection()


def _programs(section: ProcessSection) -> tuple[PathRule, ...]:
    return tuple(rule for rule in section.allow if rule.action is not Effect.DENY)


def _network(old: Envelope, new: Envelope) -> Iterable[Change]:
    before, after = (
        (each.network or NetworkSection())
        if Plane.NETWORK in each.planes
        else NetworkSection(default=Effect.ALLOW)
        for each in (old, new)
    )
    lists = (
        ("connect to", before.egress, after.egress),
        ("be reached from", before.ingress, after.ingress),
        ("listen on", before.listen, after.listen),
    )
    for verb, left, right in lists:
        yield from differing_peers("network", verb, (left, before.default), (right, after.default))


def _models(old: Envelope, new: Envelope) -> Iterable[Change]:
    if not _managed(old, new, Plane.GATEWAY):
        return
    before, after = old.models or (), new.models or ()
    for name in dict.fromkeys(rule.name for rule in (*before, *after)):
        one, two = _rate(before, name), _rate(after, name)
        if one is None or two is None:
            if one != two:
                yield Change("models", Sign.LESS if two is None else Sign.MORE, f"call {name}")
        elif one != two:
            said = f"{name}: {one or 'unlimited'} → {two or 'unlimited'} tokens per minute"
            more = two == 0 or (one != 0 and two > one)
            yield Change("models", Sign.MORE if more else Sign.LESS, said)


def _rate(rules: Sequence[ModelRule], name: str) -> int | None:
    """Return the rate of the most specific rule that covers a name or pattern, or None."""
    fitting = [
        rule
        for rule in rules
        if rule.name == name or (rule.name.endswith("*") and name.startswith(rule.name[:-1]))
    ]
    if not fitting:
        return None
    return max(fitting, key=lambda rule: len(rule.name)).tokens_per_minute


def _tools(old: Envelope, new: Envelope) -> Iterable[Change]:
    if not _managed(old, new, Plane.TOOLS):
        return
    before, after = (_conditions(each.tools or ()) for each in (old, new))
    for tool in dict.fromkeys((*before, *after)):
        one, two = before.get(tool), after.get(tool)
        if one == two:
            continue
        name = "/".join(tool)
        if one is None or two is None:
            yield Change("tools", Sign.LESS if two is None else Sign.MORE, f"call {name}")
        elif "" in two or ("" not in one and one < two):
            yield Change("tools", Sign.MORE, f"call {name} under fewer conditions")
        elif "" in one or two < one:
            yield Change("tools", Sign.LESS, f"call {name} under more conditions")
        else:
            yield Change("tools", Sign.UNSURE, f"call {name} under other conditions")


def _conditions(rules: Iterable[ToolRule]) -> dict[tuple[str, str], frozenset[str]]:
    found: dict[tuple[str, str], frozenset[str]] = {}
    for rule in rules:
        tool = (rule.server, rule.tool)
        conditions = found.get(tool, frozenset()) | {rule.when}
        found[tool] = frozenset({""}) if "" in conditions else conditions
    return found


def _data(old: Envelope, new: Envelope) -> Iterable[Change]:
    if not _managed(old, new, Plane.GATEWAY):
        return
    before, after = (each.data or DataSection() for each in (old, new))
    yield from _sets("data", "reading data labelled", before.read, after.read)
    yield from _sets("data", "sending out data labelled", before.egress, after.egress)
    for entity in dict.fromkeys((*before.mask, *after.mask)):
        if entity not in before.mask:
            yield Change("data", Sign.LESS, f"masks {entity}")
        elif entity not in after.mask:
            yield Change("data", Sign.MORE, f"shows {entity} unmasked")


def _sets(section: str, what: str, before: Sequence[str], after: Sequence[str]) -> Iterable[Change]:
    for each in dict.fromkeys((*before, *after)):
        if (each in before) != (each in after):
            yield Change(section, Sign.MORE if each in after else Sign.LESS, f"{what} {each}")


def _managed(old: Envelope, new: Envelope, plane: Plane) -> bool:
    """Return whether both manage a plane; where one does not, `_about` has said it all."""
    return plane in old.planes and plane in new.planes
