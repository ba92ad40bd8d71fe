"""The one route table of the API, and the routes that come from it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from keepwall.foundation.store.changes import Change
from keepwall.foundation.store.events import StoredEvent
from keepwall.foundation.store.finding_search import FoundFinding
from keepwall.foundation.store.graph import AssetGraph
from keepwall.foundation.store.triage import Triage
from keepwall.foundation.store.views import View
from keepwall.server.api import acts, assets, findings, reads, scans, views
from keepwall.server.api.openapi import document
from keepwall.server.api.operation import Operation
from keepwall.server.api.paging import PREFIX
from keepwall.server.api.shapes import Facet, Page, Status, encode
from keepwall.server.queries import (
    AssetQuery,
    AssetsQuery,
    BadQueryError,
    ChangesQuery,
    DriftQuery,
    EventsQuery,
    FacetsQuery,
    FindingsQuery,
    GraphQuery,
    IncidentsQuery,
    Query,
    RelationsQuery,
    ScansQuery,
    ViewQuery,
    parse_query,
)
from keepwall.server.services import Services, asker, services_of
from keepwall.vocabulary.asset import Asset, Relation
from keepwall.vocabulary.event import Event
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.incident import Incident
from keepwall.vocabulary.scan import ScanInfo
from keepwall.workflows.blueprint import Phase
from keepwall.workflows.triage import TriageOrder


def openapi(_services: Services, _id: str, _query: Query) -> dict[str, Any]:
    """Return this document."""
    return document(OPERATIONS, PREFIX)


OPERATIONS: Sequence[Operation] = (
    Operation("GET", "/status", reads.status, Status),
    Operation("GET", "/blueprint", scans.blueprint, Page[Phase]),
    Operation("GET", "/assets", assets.assets, Page[Asset], AssetsQuery),
    Operation("GET", "/asset", assets.asset, Asset, AssetQuery, names_one=True),
    Operation("GET", "/facets", assets.facets, Page[Facet], FacetsQuery),
    Operation("GET", "/relations", assets.relations, Page[Relation], RelationsQuery),
    Operation("GET", "/graph", assets.graph, AssetGraph, GraphQuery, names_one=True),
    Operation("GET", "/findings", findings.findings, Page[FoundFinding], FindingsQuery),
    Operation(
        "POST",
        "/findings/triage",
        findings.decide,
        Page[FoundFinding],
        body=TriageOrder,
        personal=True,
        names_one=True,
    ),
    Operation("GET", "/findings/{id}", findings.finding, FoundFinding, names_one=True),
    Operation("GET", "/findings/{id}/triage", findings.decisions, Page[Triage], names_one=True),
    Operation("GET", "/events", reads.events, Page[StoredEvent], EventsQuery),
    Operation("GET", "/events/{id}", reads.event, Event, names_one=True),
    Operation("GET", "/incidents", reads.incidents, Page[Incident], IncidentsQuery),
    Operation("GET", "/incidents/{id}", reads.incident, Incident, names_one=True),
    Operation("POST", "/incidents/{id}/contain", acts.contain, Incident, names_one=True),
    Operation("POST", "/incidents/{id}/release", acts.release, Incident, names_one=True),
    Operation("GET", "/scans", scans.scans, Page[ScanInfo], ScansQuery),
    Operation("GET", "/scans/{id}", scans.scan, ScanInfo, names_one=True),
    Operation("GET", "/scans/{id}/unread", scans.unread, Page[Unread]),
    Operation("GET", "/scans/{id}/changes", scans.changes, Page[Change], names_one=True),
    Operation("GET", "/drift", scans.drift, Page[Change], DriftQuery, names_one=True),
    Operation("GET", "/changes", scans.history, Page[Change], ChangesQuery),
    Operation("GET", "/views", views.views, Page[View], personal=True),
    Operation("POST", "/views", views.save_view, View, body=views.SavedView, personal=True),
    Operation("DELETE", "/views", views.delete_view, Page[View], ViewQuery, personal=True),
    Operation("GET", "/openapi.json", openapi, dict[str, Any]),
)


def api_routes() -> list[Route]:
    """Return one route per row of the table."""
    return [_route(operation) for operation in OPERATIONS]


def _route(operation: Operation) -> Route:
    async def endpoint(request: Request) -> Response:
        query: Any = parse_query(request.scope["query_string"], operation.query)
        if operation.body is not None:
            query = _parsed(await request.body(), operation.body)
        who = asker(request) if operation.personal else request.path_params.get("id", "")
        arguments = (services_of(request), who, query)
        if inspect.iscoroutinefunction(operation.handler):
            answer = await operation.handler(*arguments)
        else:
            answer = await run_in_threadpool(operation.handler, *arguments)
        return Response(encode(answer), media_type="application/json")

    name = f"api.{operation.handler.__name__}"
    return Route(PREFIX + operation.path, endpoint, methods=[operation.method], name=name)


def _parsed(body: bytes, kind: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadQueryError(
            f"the body of the request cannot be used: {error}",
            hint="see its schema in /api/v1/openapi.json",
        ) from error
