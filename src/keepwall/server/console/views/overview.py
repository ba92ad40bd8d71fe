"""Overview: where this installation stands, what needs attention first, and what was not read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from keepwall.foundation.store.finding_search import FindingFilter
from keepwall.foundation.store.triage import TriageState
from keepwall.server.services import services_of
from keepwall.workflows.blueprint import blueprint, current, standing

FIRST = 15
"""Things on the first screen, at most: a longer list is no priority."""
_FEW = 5
_PARTS = 20


def overview(request: Request) -> Response:
    """Return the page at the root."""
    services = services_of(request)
    store, now = services.store, services.clock.now()
    seen = standing(store, now)
    phases = blueprint(seen)
    latest = sorted(seen.scans, key=lambda scan: scan.finished_at, reverse=True)
    unread = [(scan, store.scans.unread(scan.id)) for scan in latest]
    states = store.finding_search.states(now)
    first = store.finding_search.find(FindingFilter(TriageState.OPEN), now, limit=FIRST)
    assets = {each.finding.asset for each in first}
    context = {
        "phases": phases,
        "current": current(phases),
        "assets": store.inventory.counts(),
        "findings": store.finding_search.severities(now),
        "states": states,
        "first": first,
        "names": {each: store.inventory.asset(each) for each in assets},
        "incidents": store.incidents.list(limit=_FEW),
        "scans": [(scan, len(parts)) for scan, parts in unread],
        "changes": store.changes.counts([scan.id for scan in latest]),
        "unread": [(scan, parts[:_PARTS], len(parts)) for scan, parts in unread if parts],
        "unread_total": seen.unread,
        "events": store.events.list(limit=_FEW),
        "now": now,
    }
    return services.pages.render(request, "overview.html", context)
