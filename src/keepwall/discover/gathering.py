"""Collect observations into an inventory: one asset per real thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from keepwall.vocabulary.asset import Asset, Location, Relation
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.scan import Inventory, Observation


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
            for each in sorted(self.relations)
            if each.source in self.assets and each.target in self.assets
        )
        facts = sorted(self.facts, key=lambda fact: (fact.path, fact.line))
        return Inventory(
            tuple(assets), tuple(relations), tuple(facts), tuple(sorted(self.unread)), files, size
        )


def _placed(asset: Asset, places: set[Location]) -> Asset:
    return Asset(asset.kind, asset.key, asset.name, asset.surface, tuple(sorted(places)))
