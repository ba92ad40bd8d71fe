"""Where keywords stand in bytes, in one pass: Hyperscan for long input, RE2 for short or without.

Both report the same places, in the same order for keywords that do not contain each other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import re2  # type: ignore[import-untyped] # it has no stubs

SHORT = 8_192
"""Bytes below which a pass of RE2 costs less than the set-up of a pass of Hyperscan."""

OnHit = Callable[[int, int], None]
"""Called with the number of a keyword and the offset at which it starts."""


class Prefilter(Protocol):
    """Finds keywords in any case (of ASCII); overlapping ones are all reported."""

    def scan(self, data: bytes, hit: OnHit) -> None:
        """Call `hit` for each place of each keyword."""


@dataclass(frozen=True, slots=True)
class Re2Prefilter:
    """The portable one: jumps from place to place with an alternation of the keywords."""

    expression: Any
    starts: dict[bytes, tuple[tuple[int, bytes], ...]]

    @classmethod
    def of(cls, keywords: Sequence[bytes]) -> Re2Prefilter:
        """Return the filter of lower-case keywords of two bytes and more."""
        options = re2.Options()
        options.case_sensitive = False
        options.never_capture = True
        options.encoding = re2.Options.Encoding.LATIN1
        starts: dict[bytes, tuple[tuple[int, bytes], ...]] = {}
        for number, word in enumerate(keywords):
            starts[word[:2]] = (*starts.get(word[:2], ()), (number, word))
        pattern = b"|".join(re2.escape(word) for word in keywords)
        return cls(re2.compile(pattern, options), starts)

    def scan(self, data: bytes, hit: OnHit) -> None:
        """Call `hit` for each place of each keyword."""
        search = self.expression.search
        found = search(data)
        if found is None:
            return
        lowered = data.lower()
        while found is not None:
            place = found.start()
            for number, word in self.starts[lowered[place : place + 2]]:
                if lowered.startswith(word, place):
                    hit(number, place)
            found = search(data, place + 1)


@dataclass(frozen=True, slots=True)
class HyperscanPrefilter:
    """The fast one: literals only, so that compiling them takes a few milliseconds."""

    database: Any
    scratch: Callable[[Any], Any]
    sizes: tuple[int, ...]

    @classmethod
    def of(cls, keywords: Sequence[bytes]) -> HyperscanPrefilter | None:
        """Return the filter of the keywords; None where Hyperscan cannot be used here."""
        try:
            import hyperscan  # noqa: PLC0415 - optional, and loaded with the first long input only
        except ImportError:
            return None
        database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
        try:
            database.compile(
                expressions=list(keywords),
                ids=list(range(len(keywords))),
                elements=len(keywords),
                flags=[hyperscan.HS_FLAG_CASELESS] * len(keywords),
                literal=True,
            )
        except hyperscan.error:  # a processor without SSSE3, or no memory
            return None
        return cls(database, hyperscan.Scratch, tuple(len(word) for word in keywords))

    def scan(self, data: bytes, hit: OnHit) -> None:
        """Call `hit` for each place of each keyword."""
        sizes = self.sizes

        def report(number: int, _start: int, end: int, _flags: int, _context: object) -> None:
            hit(number, end - sizes[number])

        # A scratch per pass: one that is shared fails as soon as two threads scan at once.
        self.database.scan(data, match_event_handler=report, scratch=self.scratch(self.database))


@cache
def _short(keywords: tuple[bytes, ...]) -> Prefilter:
    return Re2Prefilter.of(keywords)


@cache
def _long(keywords: tuple[bytes, ...]) -> Prefilter:
    return HyperscanPrefilter.of(keywords) or _short(keywords)


def prefilter(keywords: tuple[bytes, ...], size: int) -> Prefilter:
    """Return the filter for input of `size` bytes, made once for a set of keywords."""
    return _short(keywords) if size < SHORT else _long(keywords)
