"""Turning pages of a list."""

from __future__ import annotations

from dataclasses import dataclass

from keepwall.server.console.address import address
from keepwall.server.queries import FindingsQuery


@dataclass(frozen=True, slots=True)
class Turned:
    """Where a page stands: numbers of its first and last item, and the addresses beside it."""

    first: int
    last: int
    previous: str
    next: str


def turned(query: FindingsQuery, found: int) -> Turned:
    """Return the place of the page of `query`, for which `found` items (limit + 1 asked) came."""
    shown = min(found, query.limit)
    before = max(0, query.offset - query.limit)
    return Turned(
        first=query.offset + 1 if shown else 0,
        last=query.offset + shown,
        previous=address(query, offset=before) if query.offset else "",
        next=address(query, offset=query.offset + query.limit) if found > query.limit else "",
    )
