"""The questions of the API. Each handler runs in a worker thread, because the store blocks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from keepwall import __version__
from keepwall.foundation.store.events import StoredEvent
from keepwall.server.api.shapes import Page, Status
from keepwall.server.queries import (
    AssetQuery,
    AssetsQuery,
    EventsQuery,
    FindingsQuery,
    IncidentsQuery,
    NotFoundError,
    Query,
    RelationsQuery,
    ScansQuery,
    quote_parameter,
)
from keepwall.server.services import Services
from keepwall.vocabulary.asset import Asset, Relation
from keepwall.vocabulary.event import Event
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.incident import Incident
from keepwall.vocabulary.scan import ScanInfo

PREFIX = "/api/v1"
_NAME_SHOWN = 100
T = TypeVar("T")


def status(services: Services, _id: str, _query: Query) -> Status:
    """Return what this installation holds."""
    store = services.store
    return Status(
        version=__version__,
        at=services.clock.now(),
        assets=store.inventory.counts(),
        findings=store.findings.counts(),
        events=store.events.count(),
        last_scan=next(iter(store.scans.list(limit=1)), None),
    )


def assets(services: Services, _id: str, query: AssetsQuery) -> Page[Asset]:
    """Return assets."""
    found = services.store.inventory.assets(
        kind=query.kind,
        surface=query.surface,
        search=query.search,
        limit=query.limit + 1,
        offset=query.offset,
    )
    return _page(found, "/assets", query, offset=query.offset + query.limit)


def asset(services: Services, _id: str, query: AssetQuery) -> Asset:
    """Return one asset."""
    return existing(services.store.inventory.asset(query.id), "asset", query.id)


def relations(services: Services, _id: str, query: RelationsQuery) -> Page[Relation]:
    """Return the edges of an asset, in both directions, or all edges."""
    return Page(list(services.store.inventory.relations(query.asset)))


def findings(services: Services, _id: str, query: FindingsQuery) -> Page[Finding]:
    """Return findings."""
    found = services.store.findings.list(
        severity=query.severity,
        surface=query.surface,
        asset=query.asset,
        search=query.search,
        limit=query.limit + 1,
        offset=query.offset,
    )
    return _page(found, "/findings", query, offset=query.offset + query.limit)


def finding(services: Services, fingerprint: str, _query: Query) -> Finding:
    """Return one finding."""
    return existing(services.store.findings.get(fingerprint), "finding", fingerprint)


def events(services: Services, _id: str, query: EventsQuery) -> Page[StoredEvent]:
    """Return events with their sequence, newest first."""
    found = services.store.events.list(
        subject=query.subject,
        effect=query.effect,
        before_id=query.before,
        limit=query.limit + 1,
    )
    last = found[query.limit - 1].sequence if len(found) > query.limit else 0
    return _page(found, "/events", query, before=last)


def event(services: Services, event_id: str, _query: Query) -> Event:
    """Return one event."""
    return existing(services.store.events.get(event_id), "event", event_id)


def incidents(services: Services, _id: str, query: IncidentsQuery) -> Page[Incident]:
    """Return incidents."""
    return Page(services.store.incidents.list(state=query.state, limit=query.limit))


def incident(services: Services, incident_id: str, _query: Query) -> Incident:
    """Return one incident with its timeline."""
    return existing(services.store.incidents.get(incident_id), "incident", incident_id)


def scans(services: Services, _id: str, query: ScansQuery) -> Page[ScanInfo]:
    """Return the latest scans."""
    return Page(services.store.scans.list(limit=query.limit))


def unread(services: Services, scan_id: str, _query: Query) -> Page[Unread]:
    """Return what one scan could not read, and why."""
    return Page(services.store.scans.unread(scan_id))


def existing(found: T | None, what: str, name: str) -> T:
    """Return `found`.

    Raises:
        NotFoundError: it is None.
    """
    if found is None:
        raise NotFoundError(f"there is no {what} {name[:_NAME_SHOWN]!r}")
    return found


def _page(
    found: Sequence[T],
    path: str,
    query: AssetsQuery | FindingsQuery | EventsQuery,
    **following: int,
) -> Page[T]:
    """Return a page of what was asked with one item too many, which says that there is more."""
    if len(found) <= query.limit:
        return Page(list(found))
    asked = msgspec.to_builtins(msgspec.structs.replace(query, **following))
    address = "&".join(
        f"{name}={quote_parameter(str(value))}"
        for name, value in asked.items()
        if value not in (None, "")
    )
    return Page(list(found[: query.limit]), f"{PREFIX}{path}?{address}")
