"""Incidents: the list, the story of one, and the orders that a person gives there."""

from __future__ import annotations

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keepwall.server.api import acts
from keepwall.server.api.paging import existing
from keepwall.server.queries import IncidentsQuery, Query, parse_query, quote_parameter
from keepwall.server.services import services_of
from keepwall.vocabulary.errors import KeepwallError

EVENTS_SHOWN = 100


def incidents(request: Request) -> Response:
    """Return the list of incidents, newest first."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], IncidentsQuery, strict=False)
    context = {
        "query": query,
        "incidents": services.store.incidents.list(state=query.state, limit=query.limit),
    }
    return services.pages.render(request, "incidents.html", context)


def incident(request: Request) -> Response:
    """Return the story of one incident."""
    return _page(request, error=None)


async def contain(request: Request) -> Response:
    """Contain the subject of the incident, and show the incident again."""
    return await _order(request, acts.contain)


async def release(request: Request) -> Response:
    """Lift the containment, and show the incident again."""
    return await _order(request, acts.release)


async def _order(request: Request, act: acts.Act) -> Response:
    incident_id = request.path_params["id"]
    try:
        await act(services_of(request), incident_id, Query())
    except KeepwallError as error:
        return await run_in_threadpool(_page, request, error)
    return RedirectResponse(f"/incidents/{quote_parameter(incident_id)}", 303)


def _page(request: Request, error: KeepwallError | None) -> Response:
    services = services_of(request)
    incident_id = request.path_params["id"]
    store = services.store
    found = existing(store.incidents.get(incident_id), "incident", incident_id)
    newest = found.events[-EVENTS_SHOWN:]
    context = {
        "incident": found,
        "events": [event for each in newest if (event := store.events.get(each))],
        "known_events": set(found.events),
        "error": error,
    }
    return services.pages.render(
        request, "incident.html", context, status=200 if error is None else 503
    )
