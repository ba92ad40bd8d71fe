"""A bounded memory of what was seen lately."""

from __future__ import annotations


class Recent:
    """The last `size` strings that were added."""

    __slots__ = ("_items", "_size")

    def __init__(self, size: int) -> None:
        self._items: dict[str, None] = {}
        self._size = size

    def __contains__(self, item: str) -> bool:
        return item in self._items

    def add(self, item: str) -> None:
        """Remember `item` as the newest, and forget the oldest beyond the size."""
        self._items.pop(item, None)
        self._items[item] = None
        if len(self._items) > self._size:
            del self._items[next(iter(self._items))]
