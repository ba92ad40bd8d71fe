"""What a bundle claims to hold, signed, so that nobody can leave a record out of it later."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from keepwall.foundation.trust import canonical
from keepwall.vocabulary.errors import FormatError

SELECTION_TYPE = "application/vnd.keepwall.evidence-selection.v1+json"


@dataclass(frozen=True, slots=True)
class Selection:
    """The records of a bundle, as ranges of indexes (first, last) in order.

    `about` is the id that all of them are about, or empty for a bundle of the whole log; `head` is
    the SHA-256 of the signed head that they are proven against.
    """

    about: str
    head: str
    ranges: tuple[tuple[int, int], ...]

    @property
    def count(self) -> int:
        """How many records there are."""
        return sum(last - first + 1 for first, last in self.ranges)

    @property
    def indexes(self) -> Iterator[int]:
        """The indexes in order."""
        return (at for first, last in self.ranges for at in range(first, last + 1))

    def encode(self) -> bytes:
        """Return the payload that is signed."""
        return canonical.encode({"about": self.about, "head": self.head, "ranges": self.ranges})

    @classmethod
    def decode(cls, payload: bytes) -> Selection:
        """Return the selection in a payload whose signature was checked.

        Raises:
            FormatError: it is not one, or its ranges are not in order.
        """
        found = canonical.decode_object(payload, "about", "head", "ranges")
        if not isinstance(found["about"], str) or not isinstance(found["ranges"], list):
            raise FormatError("not a selection of records")
        ranges = tuple(_range(each) for each in found["ranges"])
        ordered = all(earlier[1] < later[0] for earlier, later in pairwise(ranges))
        if not ordered or not all(0 <= first <= last for first, last in ranges):
            raise FormatError("the ranges of a selection are not in order")
        return cls(found["about"], canonical.unhex(found["head"], 32).hex(), ranges)


def _range(value: Any) -> tuple[int, int]:
    match value:
        case [int() as first, int() as last] if type(first) is type(last) is int:
            return first, last
        case _:
            raise FormatError("a range of a selection is not two numbers")


def ranges_of(indexes: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return rising `indexes` as ranges (first, last)."""
    found: list[tuple[int, int]] = []
    for index in indexes:
        if found and found[-1][1] == index - 1:
            found[-1] = (found[-1][0], index)
        else:
            found.append((index, index))
    return tuple(found)
