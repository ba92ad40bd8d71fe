"""Incidents, and their stories as they grow."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, Select, insert, select, update

from keepwall.foundation.store.codec import decode, encode, key
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.paging import bounded
from keepwall.foundation.store.schema import incident_entries as entries
from keepwall.foundation.store.schema import incident_events as events
from keepwall.foundation.store.schema import incidents as table
from keepwall.vocabulary.errors import IntegrityError
from keepwall.vocabulary.incident import Incident, IncidentState, TimelineEntry


class Incidents:
    """Incidents; a story is only ever added to."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def open(self, incident: Incident) -> None:
        """Store a new incident with its story so far.

        Raises:
            IntegrityError: an incident with this id is stored.
        """
        name = key(incident.id)
        row = {
            "key": name,
            "state": incident.state.value,
            "subject": key(incident.subject),
            "detection": key(incident.detection),
            "opened_at": incident.opened_at,
            "body": encode(replace(incident, events=(), timeline=())),
        }
        with self._database.write("incidents") as connection:
            if _read(connection, _rows().where(table.c.key == name)):
                raise IntegrityError(f"incident {incident.id} exists already")
            connection.execute(insert(table).values(**row))
            self._append(connection, name, incident.timeline, incident.events)

    def get(self, incident_id: str) -> Incident | None:
        """Return an incident, or None."""
        return self._first(_rows().where(table.c.key == key(incident_id)))

    def list(self, *, state: IncidentState | None = None, limit: int = 100) -> list[Incident]:
        """Return incidents, the one opened last first."""
        query = _newest()
        if state is not None:
            query = query.where(table.c.state == state.value)
        with self._database.read() as connection:
            return _read(connection, query.limit(bounded(limit)))

    def add(
        self,
        incident_id: str,
        entry: TimelineEntry,
        *,
        state: IncidentState | None = None,
        events: Sequence[str] = (),
    ) -> Incident:
        """Add one step to a story, with its new state and events, as one change; return it all.

        Raises:
            IntegrityError: there is no such incident.
        """
        name = key(incident_id)
        with self._database.write("incidents") as connection:
            query = _rows().where(table.c.key == name)
            if not _read(connection, query):
                raise IntegrityError(f"there is no incident {incident_id}")
            if state is not None:
                change = update(table).where(table.c.key == name)
                connection.execute(change.values(state=state.value))
            self._append(connection, name, (entry,), events)
            return _read(connection, query)[0]

    def find_open(self, subject: str, detection: str) -> Incident | None:
        """Return the newest incident of this subject and detection that is not closed, or None.

        A contained incident counts: what still happens belongs to its story.
        """
        return self._first(
            _newest()
            .where(table.c.subject == key(subject), table.c.detection == key(detection))
            .where(table.c.state != IncidentState.CLOSED.value)
            .limit(1)
        )

    def _first(self, query: Select[Any]) -> Incident | None:
        with self._database.read() as connection:
            found = _read(connection, query)
        return found[0] if found else None

    def _append(
        self,
        connection: Connection,
        name: str,
        timeline: Iterable[TimelineEntry],
        ids: Iterable[str],
    ) -> None:
        steps = [{"incident": name, "body": encode(entry)} for entry in timeline]
        if steps:
            connection.execute(insert(entries), steps)
        links = [{"incident": name, "event": key(each), "body": encode(each)} for each in ids]
        if links:
            once = self._database.insert(events).on_conflict_do_nothing(
                index_elements=["incident", "event"]
            )
            connection.execute(once, links)


def _rows() -> Select[Any]:
    return select(table.c.key, table.c.state, table.c.body)


def _newest() -> Select[Any]:
    return _rows().order_by(table.c.opened_at.desc(), table.c.sequence.desc())


def _read(connection: Connection, query: Select[Any]) -> list[Incident]:
    """Return the incidents of a query in its order, each with its whole story."""
    wanted = select(query.subquery().c.key)
    timelines: dict[str, list[TimelineEntry]] = {}
    steps = select(entries.c.incident, entries.c.body).where(entries.c.incident.in_(wanted))
    for row in connection.execute(steps.order_by(entries.c.sequence)):
        timelines.setdefault(row.incident, []).append(decode(row.body, TimelineEntry))
    ids: dict[str, list[str]] = {}
    links = select(events.c.incident, events.c.body).where(events.c.incident.in_(wanted))
    for row in connection.execute(links.order_by(events.c.sequence)):
        ids.setdefault(row.incident, []).append(decode(row.body, str))
    return [
        replace(
            decode(row.body, Incident),
            state=IncidentState(row.state),
            events=tuple(ids.get(row.key, ())),
            timeline=tuple(timelines.get(row.key, ())),
        )
        for row in connection.execute(query)
    ]
