"""Where a page of assets ended, as a text that travels in an address."""

from __future__ import annotations

import base64
import binascii
from datetime import datetime

import msgspec

from keepwall.foundation.store.asset_search import AssetSort, ListedAsset, Place
from keepwall.server.queries import BadQueryError


def cursor(row: ListedAsset) -> str:
    """Return the place of `row` as text."""
    packed = msgspec.json.encode((row.place.value, row.place.key))
    return base64.urlsafe_b64encode(packed).decode().rstrip("=")


def place(text: str, sort: AssetSort) -> Place | None:
    """Return the place that `cursor` wrote, or None for no text.

    Raises:
        BadQueryError: it is no such text, or one of another order.
    """
    if not text:
        return None
    wrong = BadQueryError(
        "the place after which the page begins cannot be used: after",
        hint="start at the first page",
    )
    try:
        packed = base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        value, key = msgspec.json.decode(packed, type=tuple[str, str])
        zoned = sort is not AssetSort.NEWEST or datetime.fromisoformat(value).tzinfo
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise wrong from error
    if not zoned or "\0" in value or "\0" in key:
        raise wrong
    return Place(value, key)
