"""Turning pages of a list."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from keepwall.server.queries import AssetsQuery, FindingsQuery, quote_parameter


@dataclass(frozen=True, slots=True)
class Turned:
    """Where a page stands: numbers of its first and last item, and the addresses beside it."""

    first: int
    last: int
    previous: str
    next: str


def turned(query: AssetsQuery | FindingsQuery, found: int) -> Turned:
    """Return the place of the page of `query`, for which `found` items (limit + 1 asked) came."""
    shown = min(found, query.limit)
    before = max(0, query.offset - query.limit)
    return Turned(
        first=query.offset + 1 if shown else 0,
        last=query.offset + shown,
        previous=_address(query, before) if query.offset else "",
        next=_address(query, query.offset + query.limit) if found > query.limit else "",
    )


def _address(query: AssetsQuery | FindingsQuery, offset: int) -> str:
    asked = msgspec.to_builtins(msgspec.structs.replace(query, offset=offset))
    return "?" + "&".join(
        f"{name}={quote_parameter(str(value))}"
        for name, value in asked.items()
        if value not in (None, "", 0)
    )
