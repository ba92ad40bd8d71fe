"""Several envelopes on one subject: allows intersect, denies unite, deny beats allow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce

from keepwall.decide import addresses, paths
from keepwall.vocabulary.decision import Effect, Plane
from keepwall.vocabulary.envelope import (
    AddressRule,
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


def compose(envelopes: Sequence[Envelope]) -> Envelope:
    """Return the one envelope that a subject of all `envelopes` has; at least one is needed.

    A plane that only one of them lists is bound by that one alone. Name, subject and origin are
    those of the first.
    """
    return reduce(_pair, envelopes)


def _pair(one: Envelope, two: Envelope) -> Envelope:
    planes = tuple(plane for plane in Plane if plane in one.planes or plane in two.planes)
    runtime = _both(one, two, Plane.RUNTIME)
    network = _both(one, two, Plane.NETWORK)
    gateway = _both(one, two, Plane.GATEWAY)
    tools = _both(one, two, Plane.TOOLS)
    binds = {plane: two if plane in two.planes else one for plane in Plane}
    return replace(
        one,
        planes=planes,
        mode=Mode.ENFORCE if Mode.ENFORCE in (one.mode, two.mode) else Mode.OBSERVE,
        minimum_strength=max(
            one.minimum_strength, two.minimum_strength, key=lambda strength: strength.rank
        ),
        process=_process(one, two) if runtime else binds[Plane.RUNTIME].process,
        file=_file(one, two) if runtime else binds[Plane.RUNTIME].file,
        network=_network(one, two) if network else binds[Plane.NETWORK].network,
        models=_models(one, two) if gateway else binds[Plane.GATEWAY].models,
        data=_data(one.data, two.data) if gateway else binds[Plane.GATEWAY].data,
        tools=_tools(one, two) if tools else binds[Plane.TOOLS].tools,
    )


def _both(one: Envelope, two: Envelope, plane: Plane) -> bool:
    return plane in one.planes and plane in two.planes


def _default(one: Effect, two: Effect) -> Effect:
    order = (Effect.ALLOW, Effect.AUDIT, Effect.DENY)
    return max(one, two, key=order.index)


def _allowed(
    left: Sequence[PathRule], left_default: Effect, right: Sequence[PathRule], right_default: Effect
) -> tuple[PathRule, ...]:
    """Intersect allows; a side that allows by default gives way to the other side's list."""
    one = [rule for rule in left if rule.action is not Effect.DENY]
    two = [rule for rule in right if rule.action is not Effect.DENY]
    if left_default is not Effect.DENY:
        one = [*one, PathRule("/**", left_default)]
    if right_default is not Effect.DENY:
        two = [*two, PathRule("/**", right_default)]
    found: dict[tuple[str, str, bool], PathRule] = {}
    for a in one:
        for b in two:
            path = paths.overlap(a.path, b.path)
            if not path or (a.source and b.source and a.source != b.source):
                continue
            action = Effect.AUDIT if Effect.AUDIT in (a.action, b.action) else Effect.ALLOW
            source, owner = a.source or b.source, a.owner or b.owner
            known = found.get((path, source, owner))
            if known is None or action is Effect.AUDIT:
                found[path, source, owner] = PathRule(path, action, source, owner)
    if left_default is not Effect.DENY and right_default is not Effect.DENY:
        found.pop(("/**", "", False), None)  # said by the default of the composed section
    return tuple(found.values())


def _denied(*sides: Sequence[PathRule]) -> tuple[PathRule, ...]:
    every = (rule for side in sides for rule in side)
    return tuple({(rule.path, rule.source, rule.owner): rule for rule in every}.values())


def _denials(rules: Sequence[PathRule]) -> list[PathRule]:
    return [rule for rule in rules if rule.action is Effect.DENY]


def _process(one: Envelope, two: Envelope) -> ProcessSection | None:
    a, b = one.process, two.process
    if a is None or b is None:
        return None
    allows = _allowed(a.allow, a.default, b.allow, b.default)
    return ProcessSection(
        allow=(*allows, *_denied(_denials(a.allow), _denials(b.allow))),
        capabilities=tuple(sorted(set(a.capabilities) & set(b.capabilities))),
        default=_default(a.default, b.default),
    )


def _file(one: Envelope, two: Envelope) -> FileSection | None:
    a, b = one.file, two.file
    if a is None or b is None:
        return None
    read_denials = _denied(_denials(a.read), _denials(b.read))
    write_denials = _denied(_denials(a.write), _denials(b.write))
    return FileSection(
        read=(*_allowed(a.read, a.default, b.read, b.default), *read_denials),
        write=(*_allowed(a.write, a.default, b.write, b.default), *write_denials),
        deny=_denied(a.deny, b.deny),
        default=_default(a.default, b.default),
    )


def _addresses(
    left: Sequence[AddressRule],
    left_default: Effect,
    right: Sequence[AddressRule],
    right_default: Effect,
) -> tuple[AddressRule, ...]:
    one = [rule for rule in left if rule.action is not Effect.DENY]
    two = [rule for rule in right if rule.action is not Effect.DENY]
    if left_default is not Effect.DENY:
        one = [*one, AddressRule("*", (), left_default)]
    if right_default is not Effect.DENY:
        two = [*two, AddressRule("*", (), right_default)]
    both = (addresses.overlap(a, b) for a in one for b in two)
    kept: dict[tuple[str, tuple[int, ...]], AddressRule] = {}
    for rule in both:
        if rule and (rule.action is Effect.AUDIT or (rule.peer, rule.ports) not in kept):
            kept[rule.peer, rule.ports] = rule
    if left_default is not Effect.DENY and right_default is not Effect.DENY:
        kept.pop(("*", ()), None)
    denials = [rule for rule in (*left, *right) if rule.action is Effect.DENY]
    return (*kept.values(), *{(rule.peer, rule.ports): rule for rule in denials}.values())


def _network(one: Envelope, two: Envelope) -> NetworkSection | None:
    a, b = one.network, two.network
    if a is None or b is None:
        return None
    return NetworkSection(
        egress=_addresses(a.egress, a.default, b.egress, b.default),
        ingress=_addresses(a.ingress, a.default, b.ingress, b.default),
        listen=_addresses(a.listen, a.default, b.listen, b.default),
        default=_default(a.default, b.default),
    )


def _models(one: Envelope, two: Envelope) -> tuple[ModelRule, ...] | None:
    """Keep what both allow; names with ``*`` at the end cover longer ones; the lower rate holds."""
    if one.models is None or two.models is None:
        return None
    found: dict[str, ModelRule] = {}
    for a in one.models:
        for b in two.models:
            name = _narrower(a.name, b.name)
            if name:
                rates = [rate for rate in (a.tokens_per_minute, b.tokens_per_minute) if rate]
                found.setdefault(name, ModelRule(name, min(rates, default=0)))
    return tuple(found.values())


def _narrower(left: str, right: str) -> str:
    for wide, narrow in ((left, right), (right, left)):
        if wide == narrow or (wide.endswith("*") and narrow.startswith(wide[:-1])):
            return narrow
    return ""


def _tools(one: Envelope, two: Envelope) -> tuple[ToolRule, ...] | None:
    if one.tools is None or two.tools is None:
        return None
    found = []
    for a in one.tools:
        for b in two.tools:
            if (a.server, a.tool) == (b.server, b.tool):
                conditions = list(dict.fromkeys(when for when in (a.when, b.when) if when))
                when = " && ".join(f"({each})" for each in conditions)
                found.append(
                    ToolRule(a.server, a.tool, when if len(conditions) > 1 else "".join(conditions))
                )
    return tuple(found)


def _data(one: DataSection | None, two: DataSection | None) -> DataSection | None:
    if one is None or two is None:
        return None
    return DataSection(
        read=tuple(level for level in one.read if level in two.read),
        egress=tuple(level for level in one.egress if level in two.egress),
        mask=tuple(dict.fromkeys((*one.mask, *two.mask))),
    )
