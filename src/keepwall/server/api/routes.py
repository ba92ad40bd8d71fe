"""The one route table of the API, and the routes that come from it."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from keepwall.foundation.store.events import StoredEvent
from keepwall.server.api import acts, reads
from keepwall.server.api.openapi import document
from keepwall.server.api.operation import Operation
from keepwall.server.api.shapes import Page, Status, encode
from keepwall.server.queries import (
    AssetQuery,
    AssetsQuery,
    EventsQuery,
    FindingsQuery,
    IncidentsQuery,
    Query,
    RelationsQuery,
    ScansQuery,
    parse_query,
)
from keepwall.server.services import Services, services_of
from keepwall.vocabulary.asset import Asset, Relation
from keepwall.vocabulary.event import Event
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.incident import Incident
from keepwall.vocabulary.scan import ScanInfo


def openapi(_services: Services, _id: str, _query: Query) -> dict[str, Any]:
    """Return this document."""
    return document(OPERATIONS, reads.PREFIX)


OPERATIONS: Sequence[Operation] = (
    Operation("GET", "/status", reads.status, Status),
    Operation("GET", "/assets", reads.assets, Page[Asset], AssetsQuery),
    Operation("GET", "/asset", reads.asset, Asset, AssetQuery),
    Operation("GET", "/relations", reads.relations, Page[Relation], RelationsQuery),
    Operation("GET", "/findings", reads.findings, Page[Finding], FindingsQuery),
    Operation("GET", "/findings/{id}", reads.finding, Finding),
    Operation("GET", "/events", reads.events, Page[StoredEvent], EventsQuery),
    Operation("GET", "/events/{id}", reads.event, Event),
    Operation("GET", "/incidents", reads.incidents, Page[Incident], IncidentsQuery),
    Operation("GET", "/incidents/{id}", reads.incident, Incident),
    Operation("POST", "/incidents/{id}/contain", acts.contain, Incident),
    Operation("POST", "/incidents/{id}/release", acts.release, Incident),
    Operation("GET", "/scans", reads.scans, Page[ScanInfo], ScansQuery),
    Operation("GET", "/scans/{id}/unread", reads.unread, Page[Unread]),
    Operation("GET", "/openapi.json", openapi, dict[str, Any]),
)


def api_routes() -> list[Route]:
    """Return one route per row of the table."""
    return [_route(operation) for operation in OPERATIONS]


def _route(operation: Operation) -> Route:
    async def endpoint(request: Request) -> Response:
        query = parse_query(request.scope["query_string"], operation.query)
        arguments = (services_of(request), request.path_params.get("id", ""), query)
        if inspect.iscoroutinefunction(operation.handler):
            answer = await operation.handler(*arguments)
        else:
            answer = await run_in_threadpool(operation.handler, *arguments)
        return Response(encode(answer), media_type="application/json")

    name = f"api.{operation.handler.__name__}"
    return Route(reads.PREFIX + operation.path, endpoint, methods=[operation.method], name=name)
