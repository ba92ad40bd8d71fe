"""Saved views: named addresses of filtered screens, for whoever is signed in."""

from __future__ import annotations

from collections.abc import Sequence

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from keepwall.foundation.store.views import View
from keepwall.server.api.views import SavedView, delete_view, save_view
from keepwall.server.queries import ViewQuery, local_path
from keepwall.server.services import asker, services_of


def saved(request: Request, path: str) -> Sequence[View]:
    """Return the views of the screen at `path`."""
    known = services_of(request).store.views.list(asker(request))
    return [each for each in known if each.address.partition("?")[0] == path]


def views(request: Request) -> Response:
    """Return all saved views."""
    services = services_of(request)
    context = {"views": services.store.views.list(asker(request))}
    return services.pages.render(request, "views.html", context)


async def save(request: Request) -> Response:
    """Save a view, and show it."""
    form = await request.form(max_files=0, max_fields=10)
    wanted = SavedView(str(form.get("name", "")), str(form.get("address", "")))
    view = await run_in_threadpool(save_view, services_of(request), asker(request), wanted)
    return RedirectResponse(local_path(view.address), 303)


async def delete(request: Request) -> Response:
    """Forget a view."""
    form = await request.form(max_files=0, max_fields=10)
    name = ViewQuery(str(form.get("name", "")))
    await run_in_threadpool(delete_view, services_of(request), asker(request), name)
    return RedirectResponse("/views", 303)
