"""The inventory: assets of all targets, each once, and how they hang together."""

from __future__ import annotations

from sqlalchemy import func, or_, select

from keepwall.foundation.store.codec import decode, key, needle
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.paging import bounded
from keepwall.foundation.store.schema import assets as table
from keepwall.foundation.store.schema import relations as edges
from keepwall.foundation.store.seen import Seen
from keepwall.vocabulary.asset import Asset, AssetKind, Relation
from keepwall.vocabulary.surface import Surface

RELATIONS_LIMIT = 20_000
"""The most relations that one answer holds."""


class InventoryTable:
    """What exists, as the latest scan of each target saw it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def assets(
        self,
        *,
        kind: AssetKind | None = None,
        surface: Surface | None = None,
        search: str = "",
        limit: int = 200,
        offset: int = 0,
    ) -> list[Asset]:
        """Return the assets that are there, by name.

        `search` is looked for, whatever the case, in ids, names, owners, zones and paths.
        """
        query = select(table.c.body).where(table.c.gone_at.is_(None))
        if kind is not None:
            query = query.where(table.c.kind == kind.value)
        if surface is not None:
            query = query.where(table.c.surface == surface.value)
        if wanted := needle(search):
            query = query.where(table.c.haystack.contains(wanted, autoescape=True))
        query = query.order_by(table.c.name, table.c.key)
        query = query.limit(bounded(limit)).offset(bounded(offset))
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return [decode(body, Asset) for body in bodies]

    def asset(self, asset_id: str) -> Asset | None:
        """Return an asset, also one that is gone (`seen` tells), or None."""
        query = select(table.c.body).where(table.c.key == key(asset_id))
        with self._database.read() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else decode(body, Asset)

    def seen(self, asset_id: str) -> Seen | None:
        """Return since when an asset is seen, and until when if it is gone."""
        query = select(table.c.first_seen, table.c.last_seen, table.c.gone_at)
        with self._database.read() as connection:
            row = connection.execute(query.where(table.c.key == key(asset_id))).one_or_none()
        return None if row is None else Seen(row.first_seen, row.last_seen, row.gone_at)

    def relations(self, asset_id: str = "") -> list[Relation]:
        """Return the relations from and to an asset, or all; at most `RELATIONS_LIMIT`, sorted."""
        query = select(func.min(edges.c.body)).group_by(edges.c.key).order_by(edges.c.key)
        if asset_id:
            end = key(asset_id)
            query = query.where(or_(edges.c.source == end, edges.c.target == end))
        with self._database.read() as connection:
            bodies = connection.execute(query.limit(RELATIONS_LIMIT)).scalars().all()
        return sorted(decode(body, Relation) for body in bodies)

    def counts(self) -> dict[Surface, int]:
        """Return how many assets are there, for each of the six surfaces."""
        query = select(table.c.surface, func.count().label("total")).where(
            table.c.gone_at.is_(None)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(table.c.surface)).all()
        found = {row.surface: row.total for row in rows}
        return {surface: found.get(surface.value, 0) for surface in Surface}
