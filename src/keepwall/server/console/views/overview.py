"""Overview: what is here, how bad it is, and what to do next."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from keepwall.server.services import services_of

WORST = 15
_FEW = 5


def overview(request: Request) -> Response:
    """Return the page at the root."""
    services = services_of(request)
    store = services.store
    scans = store.scans.list(limit=_FEW)
    context = {
        "assets": store.inventory.counts(),
        "findings": store.findings.counts(),
        "worst": store.findings.list(limit=WORST),
        "incidents": store.incidents.list(limit=_FEW),
        "scans": [(scan, len(store.scans.unread(scan.id))) for scan in scans],
        "unread": store.scans.unread(scans[0].id) if scans else [],
        "events": store.events.list(limit=_FEW),
    }
    return services.pages.render(request, "overview.html", context)
