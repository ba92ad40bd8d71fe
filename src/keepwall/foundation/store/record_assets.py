"""What one target shows, merged into the inventory of all targets.

`sightings` keeps each asset as each target showed it, so that a location disappears when the one
target that had it no longer does; `assets` holds the merged rows that are read.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, exists, insert, select, update

from keepwall.foundation.store.codec import decode, encode, haystack, key, plain
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.schema import assets, relations, sightings
from keepwall.foundation.store.seen import GONE_KEPT
from keepwall.vocabulary.asset import Asset, Relation

_Sighting = tuple[datetime, Asset]


def record_assets(
    database: Database, connection: Connection, origin: str, at: datetime, seen: Iterable[Asset]
) -> None:
    """Replace what `origin` showed by what it shows `at` this time, and merge what that touches."""
    fresh: dict[str, Asset] = {}
    for asset in seen:
        name = key(asset.id)
        fresh[name] = fresh[name].merged(asset) if name in fresh else asset
    elsewhere = _elsewhere(connection, origin)  # of what was here before
    connection.execute(delete(sightings).where(sightings.c.origin == origin))
    rows = [
        {"origin": origin, "asset": name, "seen_at": at, "body": encode(asset)}
        for name, asset in fresh.items()
    ]
    if rows:
        connection.execute(insert(sightings), rows)
        elsewhere |= _elsewhere(connection, origin)  # of what is here now
    merged = [
        _merge([*([(at, fresh[name])] if name in fresh else []), *elsewhere.get(name, ())])
        for name in fresh.keys() | elsewhere.keys()
    ]
    _upsert(database, connection, merged)
    unseen = ~exists().where(sightings.c.asset == assets.c.key)
    gone = update(assets).where(assets.c.gone_at.is_(None), unseen)
    connection.execute(gone.values(gone_at=at))
    connection.execute(delete(assets).where(assets.c.gone_at < at - GONE_KEPT))


def record_relations(connection: Connection, origin: str, edges: Iterable[Relation]) -> None:
    """Replace the relations that `origin` showed."""
    rows = [
        {
            "origin": origin,
            "key": key(edge.source, edge.kind, edge.target),
            "source": key(edge.source),
            "target": key(edge.target),
            "body": encode(edge),
        }
        for edge in set(edges)
    ]
    connection.execute(delete(relations).where(relations.c.origin == origin))
    if rows:
        connection.execute(insert(relations), rows)


def _elsewhere(connection: Connection, origin: str) -> dict[str, list[_Sighting]]:
    """Return how other targets show the assets that `origin` shows, the newest sighting first."""
    here = select(sightings.c.asset).where(sightings.c.origin == origin)
    query = (
        select(sightings.c.asset, sightings.c.seen_at, sightings.c.body)
        .where(sightings.c.origin != origin, sightings.c.asset.in_(here))
        .order_by(sightings.c.seen_at.desc(), sightings.c.origin)
    )
    found: dict[str, list[_Sighting]] = {}
    for row in connection.execute(query):
        found.setdefault(row.asset, []).append((row.seen_at, decode(row.body, Asset)))
    return found


def _merge(found: list[_Sighting]) -> _Sighting:
    """Return one asset from its sightings; where they differ the first one is believed."""
    _, asset = found[0]
    for _, other in found[1:]:
        asset = asset.merged(other)
    return max(at for at, _ in found), asset


def _upsert(database: Database, connection: Connection, merged: Iterable[_Sighting]) -> None:
    rows = [
        {
            "key": key(asset.id),
            "kind": asset.kind.value,
            "surface": asset.surface.value,
            "name": plain(asset.name),
            "haystack": haystack(
                (
                    asset.id,
                    asset.name,
                    asset.owner,
                    asset.zone,
                    *(location.path for location in asset.locations),
                )
            ),
            "first_seen": at,
            "last_seen": at,
            "gone_at": None,
            "body": encode(asset),
            "owner": plain(asset.owner),
            "zone": plain(asset.zone),
            "context": plain(asset.attributes.get("context", "")),
        }
        for at, asset in merged
    ]
    if rows:
        statement = database.insert(assets)
        newer = {
            column.name: column
            for column in statement.excluded
            if column.name not in ("key", "first_seen")
        }
        connection.execute(
            statement.on_conflict_do_update(index_elements=["key"], set_=newer), rows
        )
