"""Collect observations into an inventory: one asset per real thing."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

from keepwall.discover.implied import implied
from keepwall.discover.path_context import shared_context
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.scan import Inventory, Observation

_LONGEST_PATH = 500


@dataclass(slots=True)
class Gathering:
    """Assets by id with all their places, relations and unread once each, facts in order."""

    assets: dict[str, Asset] = field(default_factory=dict)
    locations: dict[str, set[Location]] = field(default_factory=dict)
    relations: set[Relation] = field(default_factory=set)
    facts: list[Fact] = field(default_factory=list)
    unread: set[Unread] = field(default_factory=set)

    def add(self, observations: Iterable[Observation]) -> None:
        """Take observations in."""
        for each in observations:
            if isinstance(each, Asset):
                self._asset(each)
            elif isinstance(each, Relation):
                self.relations.add(each)
            elif isinstance(each, Fact):
                self.facts.append(each)
                self.add(implied(each))
            else:
                self.unread.add(each)

    def _asset(self, asset: Asset) -> None:
        known = self.assets.get(asset.id)
        self.locations.setdefault(asset.id, set()).update(asset.locations)
        if known is None:
            self.assets[asset.id] = replace(asset, locations=())
        elif asset.owner != known.owner or asset.attributes != known.attributes:
            self.assets[asset.id] = known.merged(replace(asset, locations=()))

    def inventory(self, *, files: int, size: int) -> Inventory:
        """Return everything, sorted; a relation to something that was never seen is left out."""
        assets = (
            asset.merged(_placed(asset, self.locations[asset.id]))
            for _, asset in sorted(self.assets.items())
        )
        relations = (
            each
            for each in sorted({*self.relations, *self._loaded()})
            if each.source in self.assets and each.target in self.assets
        )
        facts = sorted(self.facts, key=lambda fact: (fact.path, fact.line))
        return Inventory(
            tuple(assets), tuple(relations), tuple(facts), tuple(sorted(self.unread)), files, size
        )

    def _loaded(self) -> Iterator[Relation]:
        """Yield that an asset uses a model file of the same tree, where a call names its path."""
        files = {
            place.path: each.id
            for each in self.assets.values()
            if each.kind is AssetKind.MODEL_FILE
            for place in self.locations[each.id]
        }
        for fact in self.facts if files else ():
            for name in _paths(fact):
                beside = posixpath.normpath(posixpath.join(posixpath.dirname(fact.path), name))
                for path in (beside, posixpath.normpath(name)):
                    if path in files:
                        yield Relation(fact.asset, RelationKind.USES, files[path])


def _paths(fact: Fact) -> list[str]:
    """Return what a fact about code may name as the path of a model file."""
    if fact.kind == "model.reference" and fact.value.get("provider") == "local":
        named = [fact.value.get("name")]
    elif fact.kind == "code.call" and isinstance(arguments := fact.value.get("arguments"), dict):
        named = list(arguments.values())[:3]
    else:
        return []
    return [each for each in named if isinstance(each, str) and 0 < len(each) < _LONGEST_PATH]


def _placed(asset: Asset, places: set[Location]) -> Asset:
    context = shared_context(places)
    return Asset(
        asset.kind,
        asset.key,
        asset.name,
        asset.surface,
        tuple(sorted(places)),
        attributes={"context": context} if context else {},
    )
