"""Pages of answers, and answers that must exist."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import msgspec

from keepwall.server.api.shapes import Page
from keepwall.server.queries import (
    AssetsQuery,
    EventsQuery,
    FindingsQuery,
    NotFoundError,
    quote_parameter,
)

PREFIX = "/api/v1"
_NAME_SHOWN = 100
T = TypeVar("T")


def existing(found: T | None, what: str, name: str) -> T:
    """Return `found`.

    Raises:
        NotFoundError: it is None.
    """
    if found is None:
        raise NotFoundError(f"there is no {what} {name[:_NAME_SHOWN]!r}")
    return found


def page(
    found: Sequence[T],
    path: str,
    query: AssetsQuery | FindingsQuery | EventsQuery,
    **following: int | str,
) -> Page[T]:
    """Return a page of what was asked with one item too many, which says that there is more."""
    if len(found) <= query.limit:
        return Page(list(found))
    asked = msgspec.to_builtins(msgspec.structs.replace(query, **following))
    address = "&".join(
        f"{name}={quote_parameter(str(value))}"
        for name, value in asked.items()
        if value not in (None, "")
    )
    return Page(list(found[: query.limit]), f"{PREFIX}{path}?{address}")
