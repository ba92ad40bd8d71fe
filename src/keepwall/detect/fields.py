"""The fields of Sigma over our events, from the one table in ``data/fields.toml``."""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources
from operator import attrgetter
from typing import Any

from keepwall.formats.ocsf.terms import plain
from keepwall.vocabulary.event import Activity, Event, EventClass

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Value = str | int | Address | None
Reader = Callable[[Event], Value]
_MAX_PORT = 65_535


class Record(dict[Reader, Any]):
    """What was read from one event; each value is computed once, whichever rules ask for it."""

    __slots__ = ("event",)

    def __init__(self, event: Event) -> None:
        super().__init__()
        self.event = event

    def __missing__(self, read: Reader) -> Value:
        """Read the value and keep it."""
        value = self[read] = read(self.event)
        return value


class Kind(StrEnum):
    """What the values of a field are."""

    TEXT = "text"
    NUMBER = "number"
    ADDRESS = "address"


@dataclass(frozen=True, slots=True)
class Field:
    """How one field is read from an event.

    `value` is None where the event does not have it. `text` is the value as valid Unicode, `folded`
    the same case-folded; both are empty where the event does not have it. Readers are the keys of
    a `Record`, so each exists once.
    """

    kind: Kind
    value: Reader
    text: Reader
    folded: Reader


@dataclass(frozen=True, slots=True)
class Category:
    """The events that a `logsource.category` means, and the fields that they have."""

    event_class: EventClass
    activities: tuple[Activity, ...]
    fields: Mapping[str, Field]


@dataclass(frozen=True, slots=True)
class FieldTable:
    """The table: categories by name, and the products that a rule may name."""

    products: tuple[str, ...]
    categories: Mapping[str, Category]


@cache
def field_table() -> FieldTable:
    """Return the table of this installation."""
    text = resources.files(__package__).joinpath("data/fields.toml").read_text("utf-8")
    data = tomllib.loads(text)
    made = {
        source: _field(source) for places in data["fields"].values() for source in places.values()
    }
    categories = {
        name: Category(
            EventClass[meaning["class"].upper()],
            tuple(Activity(each) for each in meaning["activities"]),
            {
                field: made[source]
                for field, places in data["fields"].items()
                if (source := places.get(name) or places.get("any"))
            },
        )
        for name, meaning in data["categories"].items()
    }
    return FieldTable(tuple(data["products"]), categories)


def _field(source: str) -> Field:
    kind, value = _SPECIAL.get(source) or (Kind.TEXT, attrgetter(source))

    def text(event: Event) -> str:
        found = value(event)
        return "" if found is None else plain(str(found))

    return Field(kind, value, text, lambda event: text(event).casefold())


def peer(target: str) -> tuple[Address | str | None, int | None]:
    """Return the address (or the name) and the port that ``address:port`` says.

    Anything else gives None twice. An IPv4-mapped address is the IPv4 address: that is where the
    connection goes.
    """
    host, mark, port = target.rpartition(":")
    if not mark or not port.isascii() or not port.isdigit() or len(port) > len(str(_MAX_PORT)):
        return None, None
    number = int(port)
    if not host or "/" in host or number > _MAX_PORT:
        return None, None
    bare = host.removeprefix("[").removesuffix("]").partition("%")[0]
    try:
        address: Address = ipaddress.ip_address(bare)
    except ValueError:
        return bare, number
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return address, number


def _address(event: Event) -> Value:
    found = peer(event.target)[0]
    return None if isinstance(found, str) else found


def _host(event: Event) -> Value:
    found = peer(event.target)[0]
    return found.rstrip(".") if isinstance(found, str) else None


def _port(event: Event) -> Value:
    return peer(event.target)[1]


def _process_id(event: Event) -> Value:
    return event.process.pid or None


_SPECIAL: Mapping[str, tuple[Kind, Reader]] = {
    "peer.address": (Kind.ADDRESS, _address),
    "peer.host": (Kind.TEXT, _host),
    "peer.port": (Kind.NUMBER, _port),
    "process.pid": (Kind.NUMBER, _process_id),
}
