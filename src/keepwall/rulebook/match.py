"""What a rule looks for: clauses over facts and assets, with `where` blocks and nearby facts."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from keepwall.rulebook.condition import Condition, FieldValue, Missing, condition
from keepwall.rulebook.source import Marked
from keepwall.vocabulary.asset import Asset, AssetKind, RelationKind
from keepwall.vocabulary.fact import FACT_KINDS, Fact
from keepwall.vocabulary.json_value import JsonValue

_GROUPS: Mapping[str, Callable[[Iterable[bool]], bool]] = {
    "any": any,
    "all": all,
    "none": lambda results: not any(results),
}
_ASSET_FIELDS = frozenset({"key", "name", "surface", "owner", "zone", "attributes"})
_CLAUSE_KEYS = frozenset({"fact", "asset_kind", "asset", "where", "with", "unless", "no_relation"})


@dataclass(frozen=True, slots=True)
class Where:
    """Conditions by dotted field, and groups of further blocks; all of them must hold."""

    fields: tuple[tuple[str, Condition], ...] = ()
    groups: tuple[tuple[str, tuple[Where, ...]], ...] = ()

    def holds(self, value: Mapping[str, JsonValue]) -> bool:
        """Return whether `value` satisfies every condition and group."""
        for name, test in self.fields:  # plain loops: this is asked millions of times in a scan
            if not test(field_of(value, name)):
                return False
        for group, blocks in self.groups:
            if not _GROUPS[group](block.holds(value) for block in blocks):
                return False
        return True


class Scope(StrEnum):
    """What a nearby fact shares with the one that matched."""

    ASSET = "asset"
    PATH = "path"


@dataclass(frozen=True, slots=True)
class Nearby:
    """Another fact of the same asset or path, which `with` demands and `unless` excuses by."""

    fact: str
    where: Where
    same: Scope


@dataclass(frozen=True, slots=True)
class Clause:
    """One thing to look for: a fact of a kind, or (with `fact` empty) an asset of some kinds.

    The asset must have no relation of a kind in `unlinked` to anything.
    """

    fact: str
    asset_kinds: frozenset[str]
    where: Where
    demanded: tuple[Nearby, ...] = ()
    unless: tuple[Nearby, ...] = ()
    unlinked: frozenset[str] = frozenset()

    def holds_for_fact(self, fact: Fact) -> bool:
        """Return whether `fact` (of the right kind) matches, nearby facts apart."""
        kind = fact.asset.partition(":")[0]
        return (not self.asset_kinds or kind in self.asset_kinds) and self.where.holds(fact.value)

    def holds_for_asset(self, asset: Asset) -> bool:
        """Return whether `asset` matches, nearby facts apart."""
        return asset.kind in self.asset_kinds and self.where.holds(asset_fields(asset))


def asset_fields(asset: Asset) -> Mapping[str, JsonValue]:
    """Return what conditions and messages may read of an asset."""
    return {
        "key": asset.key,
        "name": asset.name,
        "surface": str(asset.surface),
        "owner": asset.owner,
        "zone": asset.zone,
        "attributes": dict(asset.attributes),
    }


def field_of(value: Mapping[str, JsonValue], dotted: str) -> FieldValue:
    """Return the field that `dotted` names, or MISSING; an index reaches into a list."""
    if "." not in dotted:
        return value.get(dotted, Missing.MISSING)
    current: JsonValue = value
    for part in dotted.split("."):
        if isinstance(current, Mapping) and part in current:
            current = current[part]
        elif isinstance(current, (list, tuple)) and part.isdecimal() and int(part) < len(current):
            current = current[int(part)]
        else:
            return Missing.MISSING
    return current


def clauses(node: Marked) -> tuple[Clause, ...]:
    """Return the clauses of a `match` block: one, or the alternatives below `any`.

    Raises:
        RuleError: a key, fact kind, asset kind or field is unknown.
    """
    if "any" in node.mapping():
        node.keys_within(frozenset({"any"}))
        return tuple(_clause(entry) for entry in node.mapping()["any"].items())
    return (_clause(node),)


def known_field(kind: str, dotted: str) -> bool:
    """Return whether facts of `kind` (or assets, for an empty one) have the field `dotted`."""
    head = dotted.partition(".")[0]
    if not kind:
        return head in _ASSET_FIELDS
    return re.search(rf"\b{re.escape(head)}\b", FACT_KINDS[kind]) is not None


def _clause(node: Marked) -> Clause:
    node.keys_within(_CLAUSE_KEYS)
    entries = node.mapping()
    if ("fact" in entries) is ("asset" in entries):
        raise node.error("a clause looks for either a fact or an asset")
    demanded, unless = _nearby(entries.get("with")), _nearby(entries.get("unless"))
    unlinked = _relations(entries.get("no_relation"))
    if "asset" in entries:
        asset = entries["asset"]
        asset.keys_within(frozenset({"kind", "where"}), frozenset({"kind"}))
        block = asset.mapping().get("where")
        where = _where(block, "") if block else Where()
        kinds = _asset_kinds(asset.mapping()["kind"])
        return Clause("", kinds, where, demanded, unless, unlinked)
    kind = _fact_kind(entries["fact"])
    kinds = _asset_kinds(entries["asset_kind"]) if "asset_kind" in entries else frozenset[str]()
    where = _where(entries["where"], kind) if "where" in entries else Where()
    return Clause(kind, kinds, where, demanded, unless, unlinked)


def _nearby(node: Marked | None) -> tuple[Nearby, ...]:
    return tuple(_nearby_fact(entry) for entry in node.items()) if node else ()


def _nearby_fact(node: Marked) -> Nearby:
    node.keys_within(frozenset({"fact", "where", "same"}), frozenset({"fact", "same"}))
    entries = node.mapping()
    kind = _fact_kind(entries["fact"])
    same = entries["same"].text()
    if same not in tuple(Scope):
        raise entries["same"].error(f"same is one of {', '.join(Scope)}")
    where = _where(entries["where"], kind) if "where" in entries else Where()
    return Nearby(kind, where, Scope(same))


def _where(node: Marked, kind: str) -> Where:
    fields: list[tuple[str, Condition]] = []
    groups: list[tuple[str, tuple[Where, ...]]] = []
    for name, entry in node.mapping().items():
        if name in _GROUPS:
            groups.append((name, tuple(_where(block, kind) for block in entry.items())))
        elif known_field(kind, name):
            fields.append((name, condition(entry)))
        else:
            hint = FACT_KINDS[kind] if kind else ", ".join(sorted(_ASSET_FIELDS))
            raise entry.error(f"{kind or 'an asset'} has no field {name!r}", hint=hint)
    if not fields and not groups:
        raise node.error("a where block is empty")
    return Where(tuple(fields), tuple(groups))


def _relations(node: Marked | None) -> frozenset[str]:
    names = node.items() if node else []
    for name in names:
        if name.text() not in tuple(RelationKind):
            raise name.error(
                f"unknown relation {name.text()!r}", hint=f"known: {', '.join(RelationKind)}"
            )
    return frozenset(name.text() for name in names)


def _fact_kind(node: Marked) -> str:
    kind = node.text()
    if kind not in FACT_KINDS:
        raise node.error(f"unknown fact kind {kind!r}", hint=f"known: {', '.join(FACT_KINDS)}")
    return kind


def _asset_kinds(node: Marked) -> frozenset[str]:
    names = node.items() if isinstance(node.value, list) else [node]
    for name in names:
        if name.text() not in tuple(AssetKind):
            raise name.error(
                f"unknown asset kind {name.text()!r}", hint=f"known: {', '.join(AssetKind)}"
            )
    return frozenset(name.text() for name in names)
