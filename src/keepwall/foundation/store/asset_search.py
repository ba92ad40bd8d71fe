"""Assets as people look for them: facets with counts, sorted, page after page by key."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Column, ColumnElement, exists, func, or_, select

from keepwall.foundation.store.codec import decode, key, needle, plain
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.paging import bounded
from keepwall.foundation.store.schema import assets as table
from keepwall.foundation.store.schema import findings, scans, sightings
from keepwall.vocabulary.asset import Asset, AssetKind
from keepwall.vocabulary.scan import ScanInfo
from keepwall.vocabulary.surface import Severity, Surface

NONE = "(none)"
"""As a facet: assets that have no such value."""
FACET_VALUES = 40
"""Values of one facet that are listed, the most frequent first."""


class AssetSort(StrEnum):
    """In which order assets are listed."""

    NAME = "name"
    KIND = "kind"
    SURFACE = "surface"
    OWNER = "owner"
    NEWEST = "newest"


@dataclass(frozen=True, slots=True)
class AssetFilter:
    """Which assets; what is left empty does not count, `NONE` asks for those without."""

    surface: Surface | None = None
    kind: AssetKind | None = None
    owner: str = ""
    zone: str = ""
    context: str = ""
    target: str = ""
    search: str = ""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page ended: the sorted value and the key of its last row."""

    value: str
    key: str


@dataclass(frozen=True, slots=True)
class ListedAsset:
    """An asset as a row: with what is wrong with it, and its place in the order."""

    asset: Asset
    first_seen: datetime
    place: Place
    findings: int = 0
    worst: Severity | None = None


_COLUMNS: Mapping[AssetSort, Column[Any]] = {
    AssetSort.NAME: table.c.name,
    AssetSort.KIND: table.c.kind,
    AssetSort.SURFACE: table.c.surface,
    AssetSort.OWNER: table.c.owner,
    AssetSort.NEWEST: table.c.first_seen,
}
_FACETS: Mapping[str, Column[str]] = {
    "surface": table.c.surface,
    "kind": table.c.kind,
    "owner": table.c.owner,
    "zone": table.c.zone,
    "context": table.c.context,
}
_RANKED = tuple(Severity)


class AssetSearch:
    """Questions about the assets that are there."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(
        self,
        wanted: AssetFilter,
        *,
        sort: AssetSort = AssetSort.NAME,
        after: Place | None = None,
        limit: int = 100,
    ) -> list[ListedAsset]:
        """Return assets after the place where the last page ended.

        Raises:
            ValueError: `after` belongs to another order.
        """
        column = _COLUMNS[sort]
        query = select(table.c.key, table.c.body, table.c.first_seen, column.label("sorted"))
        query = query.where(*conditions(wanted))
        if after is not None:
            query = query.where(_beyond(column, sort, after))
        order = column.desc() if sort is AssetSort.NEWEST else column.asc()
        query = query.order_by(order, table.c.key).limit(bounded(limit))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        marks = self.marks(row.key for row in rows)
        return [
            ListedAsset(
                decode(row.body, Asset),
                row.first_seen,
                Place(_text(row.sorted), row.key),
                *marks.get(row.key, (0, None)),
            )
            for row in rows
        ]

    def marks(self, keys: Iterable[str]) -> dict[str, tuple[int, Severity]]:
        """Return how much of each asset (by key in the store) fails, and how badly at worst."""
        query = select(
            findings.c.asset,
            func.count().label("total"),
            func.max(findings.c.rank).label("worst"),
        ).where(findings.c.resolved_at.is_(None), findings.c.asset.in_(list(keys)))
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(findings.c.asset)).all()
        return {row.asset: (row.total, _RANKED[row.worst]) for row in rows}

    def count(self, wanted: AssetFilter) -> int:
        """Return how many assets match."""
        query = select(func.count()).select_from(table).where(*conditions(wanted))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def facets(self, wanted: AssetFilter) -> dict[str, list[tuple[str, int]]]:
        """Return for each facet its values with counts, as the *other* facets narrow them.

        A facet whose only value is none is left out: there is nothing to choose.
        """
        found: dict[str, list[tuple[str, int]]] = {}
        total = func.count().label("total")
        with self._database.read() as connection:
            for name, column in _FACETS.items():
                query = select(column.label("value"), total).where(*conditions(wanted, but=name))
                query = query.group_by(column).order_by(total.desc(), column)
                rows = connection.execute(query.limit(FACET_VALUES)).all()
                values = [(row.value or NONE, row.total) for row in rows]
                if [value for value, _ in values] not in ([], [NONE]):
                    found[name] = values
            found["target"] = self._targets(connection, wanted)
        return found

    @staticmethod
    def _targets(connection: Any, wanted: AssetFilter) -> list[tuple[str, int]]:
        total = func.count(table.c.key).label("total")
        newest = select(func.max(scans.c.sequence)).group_by(scans.c.origin)
        query = (
            select(scans.c.body, total)
            .join(sightings, sightings.c.origin == scans.c.origin)
            .join(table, table.c.key == sightings.c.asset)
            .where(scans.c.sequence.in_(newest), *conditions(wanted, but="target"))
            .group_by(scans.c.sequence, scans.c.body)
            .order_by(total.desc(), scans.c.sequence)
            .limit(FACET_VALUES)
        )
        return [(decode(r.body, ScanInfo).target, r.total) for r in connection.execute(query)]


def conditions(wanted: AssetFilter, *, but: str = "") -> list[ColumnElement[bool]]:
    """Return what the assets of a filter fulfil, without the facet `but`."""
    found: list[ColumnElement[bool]] = [table.c.gone_at.is_(None)]
    for name, column in _FACETS.items():
        value = getattr(wanted, name)
        if value and name != but:
            found.append(column == ("" if value == NONE else plain(value)))
    if wanted.target and but != "target":
        here = sightings.c.origin == key(wanted.target)
        found.append(exists().where(sightings.c.asset == table.c.key, here))
    if text := needle(wanted.search):
        found.append(table.c.haystack.contains(text, autoescape=True))
    return found


def _beyond(column: Column[Any], sort: AssetSort, after: Place) -> ColumnElement[bool]:
    if sort is AssetSort.NEWEST:
        moment = datetime.fromisoformat(after.value)
        if moment.tzinfo is None:
            raise ValueError("a place without a time zone")
        return or_(column < moment, (column == moment) & (table.c.key > after.key))
    return or_(column > after.value, (column == after.value) & (table.c.key > after.key))


def _text(value: str | datetime) -> str:
    return value.isoformat() if isinstance(value, datetime) else value
