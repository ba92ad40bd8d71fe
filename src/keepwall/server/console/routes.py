"""The routes of the console."""

from __future__ import annotations

from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from keepwall.server.console.rendering import HERE
from keepwall.server.console.views import (
    events,
    findings,
    graph,
    incidents,
    inventory,
    live,
    saved,
    scans,
    sign_in,
)
from keepwall.server.console.views.overview import overview


def console_routes() -> list[BaseRoute]:
    """Return the pages, the streams and the static files."""
    return [
        Route("/", overview),
        Route("/inventory", inventory.inventory),
        Route("/inventory/asset", inventory.asset),
        Route("/inventory/graph", graph.graph),
        Route("/inventory/graph/data", graph.graph_data),
        Route("/inventory/graph/near", graph.graph_near),
        Route("/findings", findings.findings),
        Route("/findings/triage", findings.triage, methods=["POST"]),
        Route("/findings/{id}", findings.finding),
        Route("/findings/{id}/triage", findings.triage, methods=["POST"]),
        Route("/scans", scans.scans),
        Route("/scans/drift", scans.drift),
        Route("/scans/{id}", scans.scan),
        Route("/views", saved.views),
        Route("/views", saved.save, methods=["POST"]),
        Route("/views/delete", saved.delete, methods=["POST"]),
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
