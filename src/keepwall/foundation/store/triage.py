"""What people decided about findings, by fingerprint: it outlives scans, and says who and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from sqlalchemy import ColumnElement, and_, insert, or_, select

from keepwall.foundation.store.codec import decode, encode, key
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.schema import findings
from keepwall.foundation.store.schema import triage as table
from keepwall.foundation.store.schema import triage_steps as steps

HISTORY = 100
"""Decisions about one finding that are shown."""


class TriageState(StrEnum):
    """Where a finding stands; ``fixed`` is set by a scan that no longer sees it, by nobody else."""

    OPEN = "open"
    ACCEPTED = "accepted"
    FALSE_POSITIVE = "false-positive"
    FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class Triage:
    """A decision about one finding; `owner` and `until` belong to an acceptance."""

    fingerprint: str
    state: TriageState
    actor: str
    at: datetime
    reason: str = ""
    owner: str = ""
    until: datetime | None = None

    @property
    def last_day(self) -> date | None:
        """The last day on which an acceptance holds, in UTC."""
        return (self.until - timedelta(microseconds=1)).date() if self.until else None

    def state_at(self, now: datetime) -> TriageState:
        """Return what the decision amounts to `now`: an expired acceptance is open again."""
        expired = self.state is TriageState.ACCEPTED and (self.until is None or self.until <= now)
        return TriageState.OPEN if expired else self.state


class TriageTable:
    """The decision that holds for each finding, and those before it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def decide(self, decisions: Sequence[Triage]) -> None:
        """Store decisions as one change; each replaces the one before it on its finding."""
        if not decisions:
            return
        rows = [
            {
                "finding": key(each.fingerprint),
                "state": each.state.value,
                "until": each.until,
                "body": encode(each),
            }
            for each in decisions
        ]
        upsert = self._database.insert(table)
        newer = {name: upsert.excluded[name] for name in ("state", "until", "body")}
        history = [{"finding": row["finding"], "body": row["body"]} for row in rows]
        with self._database.write("triage") as connection:
            connection.execute(
                upsert.on_conflict_do_update(index_elements=["finding"], set_=newer), rows
            )
            connection.execute(insert(steps), history)

    def of(self, fingerprints: Iterable[str]) -> dict[str, Triage]:
        """Return the decision about each of these findings that has one."""
        names = [key(each) for each in fingerprints]
        query = select(table.c.body).where(table.c.finding.in_(names))
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return {each.fingerprint: each for body in bodies for each in [decode(body, Triage)]}

    def history(self, fingerprint: str) -> list[Triage]:
        """Return the decisions about one finding, newest first."""
        query = select(steps.c.body).where(steps.c.finding == key(fingerprint))
        query = query.order_by(steps.c.sequence.desc()).limit(HISTORY)
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return [decode(body, Triage) for body in bodies]


def in_state(state: TriageState, now: datetime) -> ColumnElement[bool]:
    """Return when a finding is in `state`, as a condition on findings joined with triage."""
    seen = findings.c.resolved_at.is_(None)
    is_accepted = table.c.state == TriageState.ACCEPTED.value
    accepted = and_(is_accepted, table.c.until.is_not(None), table.c.until > now)
    wrong = table.c.state == TriageState.FALSE_POSITIVE.value
    match state:
        case TriageState.FIXED:
            return findings.c.resolved_at.is_not(None)
        case TriageState.ACCEPTED:
            return and_(seen, accepted)
        case TriageState.FALSE_POSITIVE:
            return and_(seen, wrong)
        case TriageState.OPEN:
            unknown = table.c.state.is_(None)
            return and_(seen, or_(unknown, ~or_(accepted, wrong)))
