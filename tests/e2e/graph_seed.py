"""A store with a large inventory: as many assets and relations as a fleet of projects has."""

from __future__ import annotations

import random
from datetime import timedelta

from server_samples import NOW

from keepwall.foundation.store.store import Store
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.finding import Finding, fingerprint
from keepwall.vocabulary.scan import ScanInfo, ScanResult
from keepwall.vocabulary.surface import Severity, Surface

_KINDS = (
    (AssetKind.AGENT, Surface.AGENT, 6),
    (AssetKind.TOOL, Surface.AGENT, 14),
    (AssetKind.MCP_SERVER, Surface.AGENT, 5),
    (AssetKind.HOSTED_MODEL, Surface.INFERENCE, 8),
    (AssetKind.ENDPOINT, Surface.INFERENCE, 7),
    (AssetKind.MODEL_FILE, Surface.REGISTRY, 10),
    (AssetKind.DATASET, Surface.DATA, 10),
    (AssetKind.LIBRARY, Surface.PIPELINE, 25),
    (AssetKind.PIPELINE, Surface.PIPELINE, 8),
    (AssetKind.NOTEBOOK, Surface.NOTEBOOK, 7),
)


def seed(store: Store, assets: int = 5_000, relations: int = 8_000) -> list[Asset]:
    """Record one scan of `assets` and `relations`, with hubs as real inventories have them."""
    chance = random.Random(3)  # noqa: S311 - the same inventory every time
    weights = [weight for _, _, weight in _KINDS]
    found = []
    for number, (kind, surface, _) in enumerate(chance.choices(_KINDS, weights, k=assets)):
        path = f"team-{number % 40}/service-{number % 300}/{kind}-{number}.py"
        owner = f"team-{number % 40}"
        name = f"{kind} {number}"
        key = f"http://10.0.0.1:8000/{number}" if kind is AssetKind.ENDPOINT else path
        found.append(Asset(kind, key, name, surface, (Location(path, 1),), owner=owner))
    edges: set[Relation] = set()
    while len(edges) < relations:
        source = found[chance.randrange(assets)]
        hub = chance.random() < 0.3
        target = found[chance.randrange(100 if hub else assets)]
        if source is not target:
            edges.add(Relation(source.id, chance.choice(tuple(RelationKind)), target.id))
    failed = [_finding(each, chance) for each in chance.sample(found, assets // 10)]
    info = ScanInfo("large", "/srv/fleet", NOW, NOW + timedelta(seconds=20), "1", 90_000, 1, 138)
    store.scans.record(ScanResult(tuple(found), tuple(edges), tuple(failed), (), info))
    return found


def _finding(asset: Asset, chance: random.Random) -> Finding:
    place = asset.locations[0]
    return Finding(
        "KW-TEST-001",
        "Something is open",
        chance.choice(tuple(Severity)),
        asset.surface,
        asset.id,
        place,
        "it is open",
        "because",
        "close it",
        fingerprint("KW-TEST-001", asset.id, place.path, ""),
    )
