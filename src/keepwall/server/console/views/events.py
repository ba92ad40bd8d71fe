"""Events: the list, newest first, and the page of one."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from keepwall.server.api.paging import existing
from keepwall.server.queries import EventsQuery, parse_query
from keepwall.server.services import services_of


def events(request: Request) -> Response:
    """Return the list of events."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], EventsQuery, strict=False)
    found = services.store.events.list(
        subject=query.subject, effect=query.effect, before_id=query.before, limit=query.limit + 1
    )
    newest = services.store.events.list(limit=1)
    context: dict[str, object] = {
        "query": query,
        "events": found[: query.limit],
        "older": found[query.limit - 1].sequence if len(found) > query.limit else 0,
        "newest": newest[0].sequence if newest else 0,
    }
    return services.pages.render(request, "events.html", context)


def event(request: Request) -> Response:
    """Return one event."""
    services = services_of(request)
    event_id = request.path_params["id"]
    found = existing(services.store.events.get(event_id), "event", event_id)
    return services.pages.render(request, "event.html", {"event": found})
