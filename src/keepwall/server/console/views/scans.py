"""Scans: the list, the page of one, and what is otherwise between two."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from keepwall.foundation.store.changes import About, Change, Difference
from keepwall.server.api import scans as api
from keepwall.server.api.paging import existing
from keepwall.server.queries import DriftQuery, Query, ScansQuery, parse_query
from keepwall.server.services import services_of

_ROWS = 500


class Grouped(msgspec.Struct, frozen=True):
    """Changes as a page shows them: by what they are about, and what became of it."""

    groups: list[tuple[About, Difference, list[Change]]]
    total: int
    hidden: int


def grouped(changes: Iterable[Change]) -> Grouped:
    """Return `changes` in groups: what appeared first, findings before assets."""
    every = list(changes)
    groups = [
        (about, difference, found[:_ROWS])
        for about in (About.FINDING, About.ASSET)
        for difference in Difference
        if (found := [c for c in every if c.about is about and c.difference is difference])
    ]
    shown = sum(len(found) for _, _, found in groups)
    return Grouped(groups, len(every), len(every) - shown)


def scans(request: Request) -> Response:
    """Return the scans, newest first, with what each changed and could not read."""
    services = services_of(request)
    store = services.store
    query = parse_query(request.scope["query_string"], ScansQuery, strict=False)
    found = api.scans(services, "", query).items
    latest = store.scans.targets()
    context: dict[str, object] = {
        "query": query,
        "scans": [(scan, len(store.scans.unread(scan.id))) for scan in found],
        "changes": store.changes.counts([scan.id for scan in found]),
        "targets": [scan.target for scan in latest],
        "latest": {scan.id for scan in latest},
        "now": services.clock.now(),
    }
    return services.pages.render(request, "scans.html", context)


def scan(request: Request) -> Response:
    """Return one scan: what it looked at, what it could not read, what it changed."""
    services = services_of(request)
    store = services.store
    scan_id = request.path_params["id"]
    found = existing(store.scans.get(scan_id), "scan", scan_id)
    others = store.scans.of_target(found.target)
    names = [each.id for each in others]
    at = names.index(found.id) if found.id in names else len(names)
    context: dict[str, object] = {
        "scan": found,
        "unread": store.scans.unread(found.id),
        "others": others,
        "older": others[at + 1] if at + 1 < len(others) else None,
        "newer": others[at - 1] if 0 < at < len(others) else None,
        "drift": grouped(store.changes.of_scan(found.id)),
    }
    return services.pages.render(request, "scan.html", context)


def drift(request: Request) -> Response:
    """Return what is otherwise between two scans of one target."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], DriftQuery, strict=False)
    older = api.scan(services, query.before, Query())
    newer = api.scan(services, query.after, Query())
    if older.finished_at > newer.finished_at:
        older, newer = newer, older
    found = api.drift(services, "", DriftQuery(before=older.id, after=newer.id)).items
    context: dict[str, object] = {
        "older": older,
        "newer": newer,
        "drift": grouped(found),
        "others": services.store.scans.of_target(newer.target),
    }
    return services.pages.render(request, "drift.html", context)
