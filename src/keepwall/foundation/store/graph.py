"""How assets hang together, as much of it at once as a person can look at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, or_, select, union_all

from keepwall.foundation.store.asset_search import AssetFilter, AssetSearch, conditions
from keepwall.foundation.store.codec import decode, key
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.paging import bounded
from keepwall.foundation.store.schema import assets as table
from keepwall.foundation.store.schema import findings
from keepwall.foundation.store.schema import relations as edges
from keepwall.vocabulary.asset import Asset, Relation
from keepwall.vocabulary.surface import Severity

MOST_NODES = 5_000
_PARAMETERS = 900
"""Values of one IN, far below what either database takes."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """An asset in a graph; `relations` counts all it has, drawn or not."""

    asset: Asset
    relations: int = 0
    findings: int = 0
    worst: Severity | None = None


@dataclass(frozen=True, slots=True)
class AssetGraph:
    """Some assets and every relation between them; `total` is how many there are to choose from."""

    nodes: tuple[GraphNode, ...]
    edges: tuple[Relation, ...]
    total: int


class GraphSearch:
    """Pieces of the inventory graph."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._assets = AssetSearch(database)

    def chosen(self, wanted: AssetFilter, limit: int) -> AssetGraph:
        """Return the assets of a filter that matter most, with the relations between them.

        Those that fail worst come first, then those with the most relations.
        """
        worst = (
            select(findings.c.asset, func.max(findings.c.rank).label("rank"))
            .where(findings.c.resolved_at.is_(None))
            .group_by(findings.c.asset)
            .subquery()
        )
        ends = union_all(select(edges.c.source.label("end")), select(edges.c.target)).subquery()
        degree = select(ends.c.end, func.count().label("many")).group_by(ends.c.end).subquery()
        query = (
            select(table.c.key)
            .select_from(
                table.outerjoin(worst, worst.c.asset == table.c.key).outerjoin(
                    degree, degree.c.end == table.c.key
                )
            )
            .where(*conditions(wanted))
            .order_by(
                func.coalesce(worst.c.rank, -1).desc(),
                func.coalesce(degree.c.many, 0).desc(),
                table.c.name,
                table.c.key,
            )
            .limit(bounded(min(limit, MOST_NODES)))
        )
        with self._database.read() as connection:
            keys = list(connection.execute(query).scalars())
            return self._graph(connection, keys, self._assets.count(wanted))

    def around(self, asset_id: str, limit: int) -> AssetGraph:
        """Return an asset and its neighbours, itself first, with the relations between them."""
        middle = key(asset_id)
        ends = or_(edges.c.source == middle, edges.c.target == middle)
        near = select(edges.c.source, edges.c.target).where(ends).order_by(edges.c.key)
        with self._database.read() as connection:
            pairs = connection.execute(near).all()
            others = dict.fromkeys(
                end for pair in pairs for end in (pair.source, pair.target) if end != middle
            )
            kept = [middle, *list(others)[: max(0, min(limit, MOST_NODES) - 1)]]
            return self._graph(connection, kept, len(others) + 1)

    def _graph(self, connection: Connection, keys: Sequence[str], total: int) -> AssetGraph:
        found = _by_key(connection, keys)
        marks: dict[str, tuple[int, Severity]] = {}
        degrees: dict[str, int] = {}
        among: dict[str, Relation] = {}
        for some in _batches(keys):
            marks |= self._assets.marks(some)
            for column in (edges.c.source, edges.c.target):
                _count(connection, column, some, degrees)
            query = select(edges.c.key, edges.c.source, edges.c.target, edges.c.body)
            for row in connection.execute(query.where(edges.c.source.in_(some))):
                if row.target in found and row.source in found:
                    among[row.key] = decode(row.body, Relation)
        nodes = tuple(
            GraphNode(found[each], degrees.get(each, 0), *marks.get(each, (0, None)))
            for each in keys
            if each in found
        )
        return AssetGraph(nodes, tuple(sorted(among.values())), total)


def _by_key(connection: Connection, keys: Sequence[str]) -> dict[str, Asset]:
    found: dict[str, Asset] = {}
    for some in _batches(keys):
        query = select(table.c.key, table.c.body).where(table.c.key.in_(some))
        found |= {row.key: decode(row.body, Asset) for row in connection.execute(query)}
    return found


def _count(connection: Connection, column: Any, keys: list[str], into: dict[str, int]) -> None:
    """Add how many distinct relations have each of `keys` at one of their ends."""
    total = func.count(func.distinct(edges.c.key)).label("total")
    query = select(column.label("end"), total).where(column.in_(keys)).group_by(column)
    for row in connection.execute(query):
        into[row.end] = into.get(row.end, 0) + row.total


def _batches(keys: Sequence[str]) -> Iterable[list[str]]:
    for start in range(0, len(keys), _PARAMETERS):
        yield list(keys[start : start + _PARAMETERS])
