"""Questions about assets: listed, by facet, one with its edges, and as a graph."""

from __future__ import annotations

from collections.abc import Sequence

from keepwall.foundation.store.asset_search import ListedAsset
from keepwall.foundation.store.graph import AssetGraph
from keepwall.server.api.paging import existing, page
from keepwall.server.api.shapes import Facet, FacetValue, Page
from keepwall.server.cursor import cursor, place
from keepwall.server.queries import (
    AssetQuery,
    AssetsQuery,
    FacetsQuery,
    GraphQuery,
    RelationsQuery,
)
from keepwall.server.services import Services
from keepwall.vocabulary.asset import Asset, Relation


def listed(services: Services, query: AssetsQuery) -> Sequence[ListedAsset]:
    """Return the rows of a page and one more, which says that there is another page."""
    return services.store.asset_search.find(
        query.filter(),
        sort=query.sort,
        after=place(query.after, query.sort),
        limit=query.limit + 1,
    )


def assets(services: Services, _id: str, query: AssetsQuery) -> Page[Asset]:
    """Return assets."""
    rows = listed(services, query)
    last = cursor(rows[query.limit - 1]) if len(rows) > query.limit else ""
    return page([row.asset for row in rows], "/assets", query, after=last)


def asset(services: Services, _id: str, query: AssetQuery) -> Asset:
    """Return one asset."""
    return existing(services.store.inventory.asset(query.id), "asset", query.id)


def facets(services: Services, _id: str, query: FacetsQuery) -> Page[Facet]:
    """Return how many assets have which surface, kind, owner, zone, context and target."""
    found = services.store.asset_search.facets(query.filter())
    return Page(
        [
            Facet(name, [FacetValue(value, count) for value, count in values])
            for name, values in found.items()
        ]
    )


def relations(services: Services, _id: str, query: RelationsQuery) -> Page[Relation]:
    """Return the edges of an asset, in both directions, or all edges."""
    return Page(list(services.store.inventory.relations(query.asset)))


def graph(services: Services, _id: str, query: GraphQuery) -> AssetGraph:
    """Return an asset with its neighbours, or the assets of a filter that matter most."""
    if query.asset:
        existing(services.store.inventory.asset(query.asset), "asset", query.asset)
        return services.store.graph.around(query.asset, query.limit)
    return services.store.graph.chosen(query.filter(), query.limit)
