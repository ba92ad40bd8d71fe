"""Findings: the list, and the page of one with why and fix."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from keepwall.server.api.reads import existing
from keepwall.server.console.views.paging import turned
from keepwall.server.queries import FindingsQuery, parse_query
from keepwall.server.services import services_of


def findings(request: Request) -> Response:
    """Return the list of findings, worst first, filtered."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], FindingsQuery, strict=False)
    found = services.store.findings.list(
        severity=query.severity,
        surface=query.surface,
        asset=query.asset,
        search=query.search,
        limit=query.limit + 1,
        offset=query.offset,
    )
    context: dict[str, object] = {
        "query": query,
        "findings": found[: query.limit],
        "turned": turned(query, len(found)),
        "counts": services.store.findings.counts(),
        "scanned": bool(services.store.scans.list(limit=1)),
    }
    return services.pages.render(request, "findings.html", context)


def finding(request: Request) -> Response:
    """Return one finding."""
    services = services_of(request)
    fingerprint = request.path_params["id"]
    found = existing(services.store.findings.get(fingerprint), "finding", fingerprint)
    context = {
        "finding": found,
        "seen": services.store.findings.seen(fingerprint),
        "asset": services.store.inventory.asset(found.asset),
    }
    return services.pages.render(request, "finding.html", context)
