"""Inventory: the assets as a table with facets, and the page of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from keepwall.foundation.store.finding_search import FindingFilter
from keepwall.server.api.assets import listed
from keepwall.server.api.paging import existing
from keepwall.server.console.address import address
from keepwall.server.console.concerns import concerns
from keepwall.server.console.views.saved import saved
from keepwall.server.cursor import cursor
from keepwall.server.queries import AssetQuery, AssetsQuery, FacetsQuery, parse_query
from keepwall.server.services import services_of

_FEW = 8
_EDGES = 200


@dataclass(frozen=True, slots=True)
class Choice:
    """One value of a facet: chosen or not, and the address that turns it around."""

    value: str
    count: int
    chosen: bool
    address: str


def choices(
    path: str, query: FacetsQuery, facets: Mapping[str, Sequence[tuple[str, int]]]
) -> dict[str, list[Choice]]:
    """Return every facet with its values as links of the screen at `path`."""
    found: dict[str, list[Choice]] = {}
    for name, values in facets.items():
        here = getattr(query, name) or ""
        found[name] = [
            Choice(
                value,
                count,
                value == here,
                path + address(query, **{name: "" if value == here else value}, after=""),
            )
            for value, count in values
        ]
    return found


def inventory(request: Request) -> Response:
    """Return the list of assets, by facets, search and order."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], AssetsQuery, strict=False)
    store = services.store
    rows = listed(services, query)
    wanted = query.filter()
    facets = store.asset_search.facets(wanted)
    more = len(rows) > query.limit
    context: dict[str, object] = {
        "query": query,
        "rows": rows[: query.limit],
        "facets": choices("/inventory", query, facets),
        "few": _FEW,
        "matching": store.asset_search.count(wanted),
        "total": sum(store.inventory.counts().values()),
        "next": address(query, after=cursor(rows[query.limit - 1])) if more else "",
        "first": address(query, after="") if query.after else "",
        "here": "/inventory" + address(query, after=""),
        "graph": "/inventory/graph" + address(query, after="", sort="", limit=""),
        "sorts": {
            sort: address(query, sort=sort, after="")
            for sort in ("name", "kind", "surface", "owner", "newest")
        },
        "views": saved(request, "/inventory"),
    }
    return services.pages.render(request, "inventory.html", context)


def asset(request: Request) -> Response:
    """Return one asset with its places, edges, findings, history, and what else concerns it."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], AssetQuery, strict=False)
    store, now = services.store, services.clock.now()
    found = existing(store.inventory.asset(query.id), "asset", query.id)
    near = store.graph.around(found.id, _EDGES)
    names = {node.asset.id: node.asset for node in near.nodes}
    edges = store.inventory.relations(found.id)
    context = {
        "asset": found,
        "seen": store.inventory.seen(found.id),
        "outgoing": [each for each in edges if each.source == found.id],
        "incoming": [each for each in edges if each.source != found.id],
        "names": names,
        "findings": store.finding_search.find(FindingFilter(asset=found.id), now, limit=200),
        "changes": store.changes.about(found.id),
        "concerns": concerns(store, found),
    }
    return services.pages.render(request, "asset.html", context)
