"""A package as a lock file fixes it, and the reading of blocks that machines wrote.

Lock files are read line by line, or by typed JSON, and never as whole documents: they are large,
written by one program each, and only a few fields matter.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.vocabulary.errors import FormatError

_CONFLICT = re.compile(r"^<{7} ", re.MULTILINE)
_MAXIMUM = 500


@dataclass(frozen=True, slots=True)
class Locked:
    """An exact package; `source` is empty for a registry, else where it comes from.

    A `source` of a repository starts with ``git+``; others are addresses of archives. `hashed`
    says that the lock holds a digest of the content.
    """

    ecosystem: str
    name: str
    version: str
    hashed: bool
    source: str
    line: int


def checked(text: str, sign: str, what: str) -> str:
    """Return `text` where it looks like a lock file of the tool `what`.

    Raises:
        FormatError: `sign` is not in it, or a merge was left unfinished.
    """
    if sign not in text and text.strip():
        raise FormatError(f"not a lock file of {what}: it holds no {sign!r}")
    if match := _CONFLICT.search(text):
        line = text.count("\n", 0, match.start()) + 1
        raise FormatError("a merge conflict is left in the lock file", place=f"line {line}")
    return text


def blocks(text: str, start: re.Pattern[str]) -> Iterator[tuple[re.Match[str], str, int]]:
    """Yield each match of `start` with the text up to the next one, and its line."""
    line, counted = 1, 0
    previous: re.Match[str] | None = None
    for match in start.finditer(text):
        if previous is not None:
            yield previous, text[previous.end() : match.start()], line
        line += text.count("\n", counted, match.start())
        previous, counted = match, match.start()
    if previous is not None:
        yield previous, text[previous.end() :], line


def plain(text: str) -> str:
    """Return a name, version or address at a length that a person can read."""
    return text[:_MAXIMUM]
