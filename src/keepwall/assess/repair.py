"""Mechanical fixes worked out on text: which edit mends a finding, if exactly one does."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from keepwall.rulebook.repair import LOCKED, PACKAGE, Repair

MOST_LINES = 40
"""A statement is looked at over as many lines from the place of its finding."""
_OPENING, _CLOSING = "([{", ")]}"


@dataclass(frozen=True, slots=True, order=True)
class Edit:
    """Put `text` in place of the characters from `start` up to `end`."""

    start: int
    end: int
    text: str


def edit_for(
    content: str, path: str, line: int, repairs: tuple[Repair, ...], locked: Mapping[str, str]
) -> Edit | None:
    """Return the edit that mends what stands on `line` of `content`, or None.

    A repair counts where its pattern fits exactly once in the statement that starts on the line
    (or in the file, where it says so); the first repair that counts wins. `locked` has the version
    that a lock file names for each package.
    """
    for repair in repairs:
        if not path.endswith(repair.suffixes):
            continue
        start, end = (0, len(content)) if repair.anywhere else statement(content, line)
        found = list(_edits(content, start, end, repair, locked))
        if len(found) == 1:
            return found[0]
    return None


def _edits(
    content: str, start: int, end: int, repair: Repair, locked: Mapping[str, str]
) -> Iterator[Edit]:
    for match in repair.pattern.finditer(content, start, end):
        replacement = repair.replacement
        if LOCKED in replacement:
            version = locked.get(match[PACKAGE], "")
            if not re.fullmatch(r"[0-9][\w.+-]{0,60}", version):
                continue
            replacement = replacement.replace(LOCKED, version)
        text = match.expand(replacement)
        if "\r\n" in content:
            text = text.replace("\n", "\r\n")
        yield Edit(match.start(), match.end(), text)


def statement(content: str, line: int) -> tuple[int, int]:
    """Return where the text that starts on `line` begins and ends: until its brackets are closed.

    It has at most `MOST_LINES` lines. Brackets in texts and comments count too, which can make it
    shorter or longer; a pattern that then fits twice or not at all is no repair.
    """
    lines = content.split("\n")  # as discovery counts them
    if not 1 <= line <= len(lines):
        return 0, 0
    start = end = sum(len(text) + 1 for text in lines[: line - 1])
    depth = 0
    for text in lines[line - 1 : line - 1 + MOST_LINES]:
        end += len(text) + 1
        depth += sum(map(text.count, _OPENING)) - sum(map(text.count, _CLOSING))
        if depth <= 0:
            break
    return start, min(end, len(content))


def chosen(edits: Iterable[Edit]) -> list[Edit]:
    """Return the edits in the order of the text; of those that overlap, the first one counts."""
    kept: list[Edit] = []
    for edit in sorted(set(edits)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept


def edited(content: str, edits: Sequence[Edit]) -> str:
    """Return `content` with the edits made; they are in order and do not overlap (`chosen`)."""
    parts: list[str] = []
    done = 0
    for edit in edits:
        parts += (content[done : edit.start], edit.text)
        done = edit.end
    return "".join(parts) + content[done:]
