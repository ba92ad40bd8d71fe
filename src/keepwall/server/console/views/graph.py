"""The inventory as a graph that can be walked, its pieces as data, and the same as a table."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from keepwall.foundation.store.graph import AssetGraph
from keepwall.server.api.assets import graph as asked
from keepwall.server.api.shapes import encode
from keepwall.server.console.address import address
from keepwall.server.console.text import visible
from keepwall.server.console.views.inventory import choices
from keepwall.server.queries import AssetQuery, GraphQuery, parse_query, quote_parameter
from keepwall.server.services import services_of

_TABLE = 200


def graph(request: Request) -> Response:
    """Return the screen; the picture is drawn from `graph_data`, the table is there without it."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], GraphQuery, strict=False)
    store = services.store
    context: dict[str, object] = {
        "query": query,
        "facets": choices("/inventory/graph", query, store.asset_search.facets(query.filter())),
        "total": sum(store.inventory.counts().values()),
        "table": "/inventory" + address(query, asset="", limit=""),
        "data": "/inventory/graph/data" + address(query),
        "sizes": {size: address(query, limit=size) for size in (60, 200, 1000, 5000)},
        "shown": asked(services, "", query),
        "start": store.inventory.asset(query.asset) if query.asset else None,
    }
    return services.pages.render(request, "graph.html", context)


def graph_data(request: Request) -> Response:
    """Return what the picture draws: names already visible, ids ready for addresses."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], GraphQuery, strict=False)
    return Response(encode(_drawn(asked(services, "", query))), media_type="application/json")


def graph_near(request: Request) -> Response:
    """Return the neighbourhood of one asset as a piece of a page."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], AssetQuery, strict=False)
    found = asked(services, "", GraphQuery(asset=query.id, limit=_TABLE))
    return services.pages.render(request, "graph_near.html", {"graph": found})


def _drawn(found: AssetGraph) -> dict[str, object]:
    place = {node.asset.id: index for index, node in enumerate(found.nodes)}
    return {
        "total": found.total,
        "nodes": [
            {
                "id": quote_parameter(node.asset.id),
                "name": visible(node.asset.name),
                "kind": node.asset.kind.value,
                "surface": node.asset.surface.value,
                "owner": visible(node.asset.owner),
                "relations": node.relations,
                "findings": node.findings,
                "worst": node.worst.value if node.worst else "",
            }
            for node in found.nodes
        ],
        "edges": [
            [place[edge.source], place[edge.target], edge.kind.value.replace("_", " ")]
            for edge in found.edges
        ],
    }
