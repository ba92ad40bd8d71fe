"""Recent events, in the order in which they arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, func, select

from keepwall.foundation.store.codec import decode, encode, key
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.paging import bounded
from keepwall.foundation.store.schema import events as table
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.event import Event

_PRUNE_ROWS = 10_000
"""Rows deleted per transaction, so that pruning never holds up those who append."""


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event with its place in the order of arrival; the sequence only rises."""

    sequence: int
    event: Event


class Events:
    """What happened, newest first; history beyond `prune` is in the Parquet files."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, events: Sequence[Event]) -> int:
        """Store those events whose id is new, in one transaction; return how many were new."""
        rows = [
            {
                "key": key(event.id),
                "subject": key(event.subject),
                "effect": event.effect.value,
                "body": encode(event),
            }
            for event in events
        ]
        if not rows:
            return 0
        insert = self._database.insert(table).on_conflict_do_nothing(index_elements=["key"])
        with self._database.write("events") as connection:
            return len(connection.execute(insert.returning(table.c.sequence), rows).all())

    def list(
        self,
        *,
        subject: str = "",
        effect: Effect | None = None,
        before_id: int | None = None,
        limit: int = 100,
    ) -> list[StoredEvent]:
        """Return events newest first, those with a sequence under `before_id` where it is given."""
        query = select(table.c.sequence, table.c.body).order_by(table.c.sequence.desc())
        if subject:
            query = query.where(table.c.subject == key(subject))
        if effect is not None:
            query = query.where(table.c.effect == effect.value)
        if before_id is not None:
            query = query.where(table.c.sequence < bounded(before_id))
        with self._database.read() as connection:
            rows = connection.execute(query.limit(bounded(limit))).all()
        return [StoredEvent(row.sequence, decode(row.body, Event)) for row in rows]

    def after(self, sequence: int, *, limit: int = 500) -> Sequence[StoredEvent]:
        """Return the events that came after `sequence`, oldest first."""
        query = select(table.c.sequence, table.c.body).order_by(table.c.sequence)
        query = query.where(table.c.sequence > bounded(sequence)).limit(bounded(limit))
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return [StoredEvent(row.sequence, decode(row.body, Event)) for row in rows]

    def get(self, event_id: str) -> Event | None:
        """Return the event with this id, or None."""
        query = select(table.c.body).where(table.c.key == key(event_id))
        with self._database.read() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else decode(body, Event)

    def count(self) -> int:
        """Return how many events are stored."""
        with self._database.read() as connection:
            return connection.execute(select(func.count()).select_from(table)).scalar_one()

    def prune(self, keep: int) -> int:
        """Delete all but the newest `keep` events; return how many were deleted."""
        oldest_first = select(table.c.sequence).order_by(table.c.sequence)
        newest_first = select(table.c.sequence).order_by(table.c.sequence.desc())
        with self._database.read() as connection:
            last = connection.execute(newest_first.offset(bounded(keep)).limit(1)).scalar()
        removed = 0
        while last is not None:
            with self._database.write("events") as connection:
                page = oldest_first.where(table.c.sequence <= last).limit(_PRUNE_ROWS)
                chunk = delete(table).where(table.c.sequence.in_(page.scalar_subquery()))
                count = connection.execute(chunk).rowcount
            removed += count
            if count < _PRUNE_ROWS:
                break
        return removed
