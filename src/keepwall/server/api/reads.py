"""Questions about what happens: status, events, incidents. The store blocks: call in a thread."""

from __future__ import annotations

from keepwall import __version__
from keepwall.foundation.store.events import StoredEvent
from keepwall.server.api.paging import existing, page
from keepwall.server.api.shapes import Page, Status
from keepwall.server.queries import EventsQuery, IncidentsQuery, Query
from keepwall.server.services import Services
from keepwall.vocabulary.event import Event
from keepwall.vocabulary.incident import Incident


def status(services: Services, _id: str, _query: Query) -> Status:
    """Return what this installation holds; findings are those that are open."""
    store = services.store
    now = services.clock.now()
    return Status(
        version=__version__,
        at=now,
        assets=store.inventory.counts(),
        findings=store.finding_search.severities(now),
        events=store.events.count(),
        last_scan=next(iter(store.scans.list(limit=1)), None),
    )


def events(services: Services, _id: str, query: EventsQuery) -> Page[StoredEvent]:
    """Return events with their sequence, newest first."""
    found = services.store.events.list(
        subject=query.subject,
        effect=query.effect,
        before_id=query.before,
        limit=query.limit + 1,
    )
    last = found[query.limit - 1].sequence if len(found) > query.limit else 0
    return page(found, "/events", query, before=last)


def event(services: Services, event_id: str, _query: Query) -> Event:
    """Return one event."""
    return existing(services.store.events.get(event_id), "event", event_id)


def incidents(services: Services, _id: str, query: IncidentsQuery) -> Page[Incident]:
    """Return incidents."""
    return Page(services.store.incidents.list(state=query.state, limit=query.limit))


def incident(services: Services, incident_id: str, _query: Query) -> Incident:
    """Return one incident with its timeline."""
    return existing(services.store.incidents.get(incident_id), "incident", incident_id)
