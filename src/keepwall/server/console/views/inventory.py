"""Inventory: the assets, and the page of one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from keepwall.server.api.reads import existing
from keepwall.server.console.views.paging import turned
from keepwall.server.queries import AssetQuery, AssetsQuery, parse_query
from keepwall.server.services import services_of


def inventory(request: Request) -> Response:
    """Return the list of assets, filtered by kind, surface and text."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], AssetsQuery, strict=False)
    assets = services.store.inventory.assets(
        kind=query.kind,
        surface=query.surface,
        search=query.search,
        limit=query.limit + 1,
        offset=query.offset,
    )
    context: dict[str, object] = {
        "query": query,
        "assets": assets[: query.limit],
        "turned": turned(query, len(assets)),
        "total": sum(services.store.inventory.counts().values()),
    }
    return services.pages.render(request, "inventory.html", context)


def asset(request: Request) -> Response:
    """Return one asset with its places, edges and findings."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], AssetQuery, strict=False)
    store = services.store
    found = existing(store.inventory.asset(query.id), "asset", query.id)
    context = {
        "asset": found,
        "seen": store.inventory.seen(found.id),
        "relations": store.inventory.relations(found.id),
        "findings": store.findings.list(asset=found.id, limit=200),
    }
    return services.pages.render(request, "asset.html", context)
