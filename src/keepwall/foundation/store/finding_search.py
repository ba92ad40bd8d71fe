"""Findings as people look for them: by where they stand, whose they are, and how old they are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, func, select

from keepwall.foundation.store.codec import key, needle, plain
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.findings import read_finding
from keepwall.foundation.store.paging import bounded
from keepwall.foundation.store.schema import assets, triage
from keepwall.foundation.store.schema import findings as table
from keepwall.foundation.store.seen import Seen
from keepwall.foundation.store.triage import Triage, TriageState, TriageTable, in_state
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.surface import Severity, Surface


@dataclass(frozen=True, slots=True)
class FindingFilter:
    """Which findings; what is left empty does not count. `owner` is that of the asset."""

    state: TriageState | None = None
    severity: Severity | None = None
    surface: Surface | None = None
    rule: str = ""
    owner: str = ""
    asset: str = ""
    search: str = ""
    before: datetime | None = None
    """Only findings that were first seen by then."""


@dataclass(frozen=True, slots=True)
class FoundFinding:
    """A finding with where it stands and since when."""

    finding: Finding
    state: TriageState
    seen: Seen
    owner: str = ""
    triage: Triage | None = None


class FindingSearch:
    """Questions about findings, each asked at a time `now`, since acceptances expire."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._triage = TriageTable(database)

    def find(
        self, wanted: FindingFilter, now: datetime, *, limit: int = 100, offset: int = 0
    ) -> list[FoundFinding]:
        """Return findings: those that expose most first, then the worst, then by rule."""
        columns = (
            table.c.key,
            table.c.body,
            table.c.first_seen,
            table.c.last_seen,
            table.c.resolved_at,
            assets.c.owner,
        )
        query = _joined(*columns).where(*_conditions(wanted, now))
        order = (table.c.exposure.desc(), table.c.rank.desc(), table.c.rule, table.c.key)
        query = query.order_by(*order).limit(bounded(limit)).offset(bounded(offset))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        found = [(row, read_finding(row.body)) for row in rows]
        decided = self._triage.of(finding.fingerprint for _, finding in found)
        return [
            FoundFinding(
                finding,
                state_of(row.resolved_at, decided.get(finding.fingerprint), now),
                Seen(row.first_seen, row.last_seen, row.resolved_at),
                row.owner or "",
                decided.get(finding.fingerprint),
            )
            for row, finding in found
        ]

    def count(self, wanted: FindingFilter, now: datetime) -> int:
        """Return how many findings match."""
        query = _joined(func.count()).where(*_conditions(wanted, now))
        with self._database.read() as connection:
            return int(connection.execute(query).scalar_one())

    def severities(self, now: datetime) -> dict[Severity, int]:
        """Return how many findings are open, for each severity."""
        query = _joined(table.c.rank, func.count().label("total"))
        query = query.where(in_state(TriageState.OPEN, now)).group_by(table.c.rank)
        with self._database.read() as connection:
            found = {row.rank: row.total for row in connection.execute(query)}
        return {severity: found.get(severity.rank, 0) for severity in Severity}

    def states(self, now: datetime) -> dict[TriageState, int]:
        """Return how many findings are in each state."""
        return {state: self.count(FindingFilter(state), now) for state in TriageState}

    def rules(self) -> list[tuple[str, int]]:
        """Return the rules that something fails now, with how often, most often first."""
        total = func.count().label("total")
        query = select(table.c.rule, total).where(table.c.resolved_at.is_(None))
        query = query.group_by(table.c.rule).order_by(total.desc(), table.c.rule)
        with self._database.read() as connection:
            return [(row.rule, row.total) for row in connection.execute(query)]

    def owners(self) -> list[str]:
        """Return the owners of assets that fail something now."""
        query = _joined(assets.c.owner).where(table.c.resolved_at.is_(None), assets.c.owner != "")
        with self._database.read() as connection:
            return sorted(set(connection.execute(query).scalars()))


def state_of(resolved: datetime | None, decided: Triage | None, now: datetime) -> TriageState:
    """Return where a finding stands `now`."""
    if resolved is not None:
        return TriageState.FIXED
    return decided.state_at(now) if decided else TriageState.OPEN


def _joined(*columns: Any) -> Select[Any]:
    joined = table.outerjoin(triage, triage.c.finding == table.c.key)
    return select(*columns).select_from(joined.outerjoin(assets, assets.c.key == table.c.asset))


def _conditions(wanted: FindingFilter, now: datetime) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.state is not None:
        found.append(in_state(wanted.state, now))
    if wanted.severity is not None:
        found.append(table.c.rank == wanted.severity.rank)
    if wanted.surface is not None:
        found.append(table.c.surface == wanted.surface.value)
    if wanted.rule:
        found.append(table.c.rule == plain(wanted.rule))
    if wanted.owner:
        found.append(assets.c.owner == plain(wanted.owner))
    if wanted.asset:
        found.append(table.c.asset == key(wanted.asset))
    if wanted.before is not None:
        found.append(table.c.first_seen <= wanted.before)
    if text := needle(wanted.search):
        found.append(table.c.haystack.contains(text, autoescape=True))
    return found
