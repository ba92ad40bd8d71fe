"""The routes of the console."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from keepwall.server.console.rendering import HERE
from keepwall.server.console.views import events, findings, incidents, inventory, live, sign_in
from keepwall.server.console.views.overview import overview


def console_routes() -> list[BaseRoute]:
    """Return the pages, the streams and the static files."""
    return [
        Route("/", overview),
        Route("/inventory", inventory.inventory),
        Route("/inventory/asset", inventory.asset),
        Route("/findings", findings.findings),
        Route("/findings/{id}", findings.finding),
        Route("/events", events.events),
        Route("/events/{id}", events.event),
        Route("/live/events", live.live_events),
        Route("/live/changes", live.live_changes),
        Route("/incidents", incidents.incidents),
        Route("/incidents/{id}", incidents.incident),
        Route("/incidents/{id}/contain", incidents.contain, methods=["POST"]),
        Route("/incidents/{id}/release", incidents.release, methods=["POST"]),
        Route("/sign-in", sign_in.sign_in_form),
        Route("/sign-in", sign_in.sign_in, methods=["POST"]),
        Route("/sign-out", sign_in.sign_out, methods=["POST"]),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
