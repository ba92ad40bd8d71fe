"""Runs every rule over an inventory."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from keepwall.assess.message import evidence, render
from keepwall.rulebook.book import Rulebook
from keepwall.rulebook.match import Clause, Nearby, Scope, asset_fields
from keepwall.rulebook.rule import Rule
from keepwall.vocabulary.asset import Asset, Location
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.finding import Finding, fingerprint
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Inventory

_SEVERAL = frozenset({"secret.present"})
"""Facts of which a line may hold several that matter one by one."""


@dataclass(frozen=True, slots=True, order=True)
class _Hit:
    """A rule that failed at a place; the order is that of the file."""

    location: Location
    asset: str
    evidence: str
    message: str
    within: str = ""

    @property
    def place(self) -> tuple[str, ...]:
        """What makes two hits of a rule one: the line (and what is `within`), else the evidence."""
        if self.location.line:
            return (str(self.location), self.within)
        return (self.asset, self.location.path, self.evidence)


def assess(inventory: Inventory, rulebook: Rulebook) -> list[Finding]:
    """Return what fails, one finding per rule and place, ordered by path, line and rule."""
    index = _Index.of(inventory)
    findings = [finding for rule in rulebook.rules for finding in _findings(rule, index)]
    return sorted(findings, key=lambda each: (each.location, each.rule, each.fingerprint))


def _findings(rule: Rule, index: _Index) -> Iterator[Finding]:
    places: set[tuple[str, ...]] = set()
    ordinals: Counter[tuple[str, str, str]] = Counter()
    for hit in sorted(hit for clause in rule.match for hit in _hits(rule, clause, index)):
        if hit.place in places:
            continue
        places.add(hit.place)
        same = (hit.asset, hit.location.path, hit.evidence)
        yield Finding(
            rule=rule.id,
            title=rule.title,
            severity=rule.severity,
            surface=rule.surface,
            asset=hit.asset,
            location=hit.location,
            message=hit.message,
            why=rule.why,
            fix=rule.fix,
            fingerprint=fingerprint(rule.id, *same, ordinal=ordinals[same]),
            mappings=rule.mappings,
        )
        ordinals[same] += 1


def _hits(rule: Rule, clause: Clause, index: _Index) -> Iterator[_Hit]:
    if clause.fact:
        for fact in index.facts.get(clause.fact, ()):
            if clause.holds_for_fact(fact) and index.fits(clause, fact.asset, fact.path):
                hit = _hit(rule, fact.value, fact.asset, Location(fact.path, fact.line))
                yield replace(hit, within=hit.evidence) if clause.fact in _SEVERAL else hit
        return
    for asset in index.assets:
        location = min(asset.locations, default=Location(""))
        if clause.holds_for_asset(asset) and index.fits(clause, asset.id, location.path):
            yield _hit(rule, asset_fields(asset), asset.id, location)


def _hit(rule: Rule, value: Mapping[str, JsonValue], asset: str, location: Location) -> _Hit:
    return _Hit(location, asset, evidence(rule.message, value), render(rule.message, value))


@dataclass(frozen=True, slots=True)
class _Index:
    """An inventory arranged for lookup; what is nearby is remembered per scope."""

    assets: tuple[Asset, ...]
    facts: Mapping[str, list[Fact]]
    near: Mapping[tuple[str, Scope, str], list[Fact]]
    linked: frozenset[tuple[str, str]]
    answers: dict[tuple[int, str], bool] = field(default_factory=dict)

    @classmethod
    def of(cls, inventory: Inventory) -> _Index:
        facts: dict[str, list[Fact]] = defaultdict(list)
        near: dict[tuple[str, Scope, str], list[Fact]] = defaultdict(list)
        for fact in inventory.facts:
            facts[fact.kind].append(fact)
            near[fact.kind, Scope.ASSET, fact.asset].append(fact)
            near[fact.kind, Scope.PATH, fact.path].append(fact)
        linked = frozenset((each.source, str(each.kind)) for each in inventory.relations)
        return cls(inventory.assets, facts, near, linked)

    def fits(self, clause: Clause, asset: str, path: str) -> bool:
        """Return whether what `clause` demands nearby is there, and nothing that excuses."""
        if any((asset, kind) in self.linked for kind in clause.unlinked):
            return False
        scopes = {Scope.ASSET: asset, Scope.PATH: path}
        return all(self._there(each, scopes[each.same]) for each in clause.demanded) and not any(
            self._there(each, scopes[each.same]) for each in clause.unless
        )

    def _there(self, nearby: Nearby, scope: str) -> bool:
        key = (id(nearby), scope)
        if key not in self.answers:
            self.answers[key] = any(
                nearby.where.holds(fact.value)
                for fact in self.near.get((nearby.fact, nearby.same, scope), ())
            )
        return self.answers[key]
