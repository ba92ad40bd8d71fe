"""Findings that are open, and those that were."""

from __future__ import annotations

from dataclasses import replace

from sqlalchemy import func, select

from keepwall.foundation.store.codec import decode, key, needle
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.paging import bounded
from keepwall.foundation.store.schema import findings as table
from keepwall.foundation.store.seen import Seen
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.surface import Severity, Surface


class Findings:
    """What fails, as the latest scan of each target saw it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def list(
        self,
        *,
        severity: Severity | None = None,
        surface: Surface | None = None,
        asset: str = "",
        search: str = "",
        limit: int = 200,
        offset: int = 0,
    ) -> list[Finding]:
        """Return open findings, the worst first, then by rule; the order is the same every time.

        `severity` is exact; `asset` is an asset id; `search` is looked for, whatever the case, in
        rules, titles, messages, paths, assets and fingerprints.
        """
        query = select(table.c.body).where(table.c.resolved_at.is_(None))
        if severity is not None:
            query = query.where(table.c.rank == severity.rank)
        if surface is not None:
            query = query.where(table.c.surface == surface.value)
        if asset:
            query = query.where(table.c.asset == key(asset))
        if wanted := needle(search):
            query = query.where(table.c.haystack.contains(wanted, autoescape=True))
        query = query.order_by(table.c.rank.desc(), table.c.rule, table.c.key)
        query = query.limit(bounded(limit)).offset(bounded(offset))
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return [read_finding(body) for body in bodies]

    def get(self, fingerprint: str) -> Finding | None:
        """Return a finding, also one that is resolved (`seen` tells), or None."""
        query = select(table.c.body).where(table.c.key == key(fingerprint))
        with self._database.read() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else read_finding(body)

    def seen(self, fingerprint: str) -> Seen | None:
        """Return since when a finding is open, and when it was resolved."""
        query = select(table.c.first_seen, table.c.last_seen, table.c.resolved_at)
        with self._database.read() as connection:
            row = connection.execute(query.where(table.c.key == key(fingerprint))).one_or_none()
        return None if row is None else Seen(row.first_seen, row.last_seen, row.resolved_at)

    def counts(self) -> dict[Severity, int]:
        """Return how many findings are open, for each severity."""
        query = select(table.c.rank, func.count().label("total")).where(
            table.c.resolved_at.is_(None)
        )
        with self._database.read() as connection:
            rows = connection.execute(query.group_by(table.c.rank)).all()
        found = {row.rank: row.total for row in rows}
        return {severity: found.get(severity.rank, 0) for severity in Severity}


def read_finding(body: str) -> Finding:
    """Return the finding that was recorded; JSON has lists where frozen values have tuples."""
    finding = decode(body, Finding)
    mappings = {name: tuple(ids) for name, ids in finding.mappings.items()}
    return replace(finding, mappings=mappings)
