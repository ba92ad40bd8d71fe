"""Questions about scans: what they could not read, what they changed, and where that leads."""

from __future__ import annotations

from keepwall.foundation.store.changes import Change
from keepwall.server.api.paging import existing
from keepwall.server.api.shapes import Page
from keepwall.server.queries import (
    BadQueryError,
    ChangesQuery,
    DriftQuery,
    Query,
    ScansQuery,
)
from keepwall.server.services import Services
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.scan import ScanInfo
from keepwall.workflows.blueprint import Phase, standing
from keepwall.workflows.blueprint import blueprint as phases
from keepwall.workflows.drift import net


def scans(services: Services, _id: str, query: ScansQuery) -> Page[ScanInfo]:
    """Return the latest scans, of one target or of all."""
    known = services.store.scans
    if query.target:
        return Page(known.of_target(query.target, query.limit))
    return Page(known.list(limit=query.limit))


def scan(services: Services, scan_id: str, _query: Query) -> ScanInfo:
    """Return one scan."""
    return existing(services.store.scans.get(scan_id), "scan", scan_id)


def unread(services: Services, scan_id: str, _query: Query) -> Page[Unread]:
    """Return what one scan could not read, and why."""
    return Page(services.store.scans.unread(scan_id))


def changes(services: Services, scan_id: str, query: Query) -> Page[Change]:
    """Return what one scan showed otherwise than the scan of its target before it."""
    scan(services, scan_id, query)
    return Page(services.store.changes.of_scan(scan_id))


def history(services: Services, _id: str, query: ChangesQuery) -> Page[Change]:
    """Return what happened to an asset or a finding, newest first."""
    return Page(services.store.changes.about(query.about, query.limit))


def drift(services: Services, _id: str, query: DriftQuery) -> Page[Change]:
    """Return what a later scan of a target shows otherwise than an earlier one, and since when."""
    older = scan(services, query.before, Query())
    newer = scan(services, query.after, Query())
    if older.target != newer.target:
        raise BadQueryError("the two scans are of different targets", hint="see /api/v1/scans")
    return Page(list(net(services.store.changes.between(older.id, newer.id))))


def blueprint(services: Services, _id: str, _query: Query) -> Page[Phase]:
    """Return the phases of the blueprint, each with whether its test holds and why."""
    return Page(list(phases(standing(services.store, services.clock.now()))))
