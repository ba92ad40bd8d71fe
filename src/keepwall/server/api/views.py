"""The saved views of whoever asks."""

from __future__ import annotations

import msgspec

from keepwall.foundation.store.views import MOST, View
from keepwall.server.api.shapes import Page
from keepwall.server.queries import BadQueryError, Query, ViewQuery, local_path
from keepwall.server.services import Services
from keepwall.vocabulary.errors import ConfigError


class SavedView(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A view to be saved."""

    name: str
    address: str


def views(services: Services, user: str, _query: Query) -> Page[View]:
    """Return the saved views of whoever asks."""
    return Page(services.store.views.list(user))


def save_view(services: Services, user: str, body: SavedView) -> View:
    """Save a filtered screen under a name, over one of the same name."""
    name, address = body.name.strip(), body.address
    if not 1 <= len(name) <= 80 or "\0" in name:  # noqa: PLR2004 - as in ViewQuery
        raise BadQueryError("the name of a view has 1 to 80 characters")
    if len(address) > 4096 or local_path(address) != address:  # noqa: PLR2004 - a long address
        raise BadQueryError("the address of a view is a path of this console")
    view = View(name, address)
    try:
        services.store.views.save(user, view)
    except ConfigError as error:
        raise BadQueryError(f"there are {MOST} views already", hint=error.hint) from error
    return view


def delete_view(services: Services, user: str, query: ViewQuery) -> Page[View]:
    """Forget a saved view, and return those that are left."""
    services.store.views.delete(user, query.name)
    return Page(services.store.views.list(user))
