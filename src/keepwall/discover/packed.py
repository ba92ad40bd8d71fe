"""Observations as bytes, to hand them between processes and to remember them (MessagePack)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface


def pack(observations: Sequence[Observation]) -> bytes:
    """Return the observations as bytes."""
    return msgspec.msgpack.encode([_row(each) for each in observations])


def unpack(data: bytes) -> Iterator[Observation]:
    """Yield the observations that `pack` was given.

    Raises:
        msgspec.DecodeError: the bytes are not of `pack`.
        ValueError, KeyError, TypeError: nor is what they hold.
    """
    for row in msgspec.msgpack.decode(data):
        yield _BUILD[row[0]](row)


def _row(each: Observation) -> tuple[Any, ...]:
    if isinstance(each, Fact):
        return ("f", each.kind, each.asset, each.value, each.path, each.line)
    if isinstance(each, Relation):
        return ("r", each.source, each.kind, each.target)
    if isinstance(each, Unread):
        return ("u", each.path, each.reason)
    places = [(place.path, place.line) for place in each.locations]
    named = ("a", each.kind, each.key, each.name, each.surface)
    return (*named, places, each.owner, each.zone, each.attributes)


def _asset(row: list[Any]) -> Asset:
    _, kind, key, name, surface, places, owner, zone, attributes = row
    locations = tuple(Location(path, line) for path, line in places)
    return Asset(AssetKind(kind), key, name, Surface(surface), locations, owner, zone, attributes)


_BUILD: Mapping[str, Callable[[list[Any]], Observation]] = {
    "a": _asset,
    "f": lambda row: Fact(*row[1:]),
    "r": lambda row: Relation(row[1], RelationKind(row[2]), row[3]),
    "u": lambda row: Unread(row[1], row[2]),
}
