"""Edits of a text as a unified diff, in time that grows with the text alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keepwall.assess.repair import Edit, edited

CONTEXT = 3
_NO_NEWLINE = "\\ No newline at end of file\n"


def unified_diff(path: str, content: str, edits: Sequence[Edit]) -> str:
    """Return what `edits` (in order, apart) change in `content`, as ``patch -p1`` takes it."""
    lines = content.split("\n")
    if not lines[-1]:
        lines.pop()  # the text ends with a line break, or is empty
    text = [f"--- a/{path}\n", f"+++ b/{path}\n"] if edits else []
    ends = edited(content, edits).endswith("\n")
    shift = 0
    for hunk in _hunks(content, edits):
        at = first = max(hunk[0][0] - CONTEXT, 0)
        body: list[str] = []
        for start, last, new in hunk:
            # What follows the last line break is no line where it is empty.
            open_end = last >= len(lines) - (not content.endswith("\n"))
            kept = new[:-1] if open_end and not new[-1] else new
            body += [_line(" ", lines, each, content) for each in range(at, start)]
            at = min(last + 1, len(lines))
            body += [_line("-", lines, each, content) for each in range(start, at)]
            body += [f"+{each}\n" for each in kept]
            if last >= len(lines) - 1 and kept and not ends:
                body.append(_NO_NEWLINE)
        after = min(at + CONTEXT, len(lines))
        body += [_line(" ", lines, each, content) for each in range(at, after)]
        old = sum(each[0] in " -" for each in body)
        new_count = sum(each[0] in " +" for each in body)
        text.append(
            f"@@ -{_span(first, old)} +{_span(first + shift, new_count)} @@\n" + "".join(body)
        )
        shift += new_count - old
    return "".join(text)


def _span(first: int, count: int) -> str:
    """Return the lines of a hunk, from 1; one without lines names the line before it."""
    return f"{first + 1 if count else first},{count}"


def _line(mark: str, lines: Sequence[str], number: int, content: str) -> str:
    ends = number < len(lines) - 1 or content.endswith("\n")
    return f"{mark}{lines[number]}\n" + ("" if ends else _NO_NEWLINE)


def _hunks(content: str, edits: Sequence[Edit]) -> Iterator[list[tuple[int, int, list[str]]]]:
    """Yield groups of changed lines: first and last line (from 0), and the lines instead."""
    hunk: list[tuple[int, int, list[str]]] = []
    for start, end, new in _changes(content, edits):
        if hunk and start - hunk[-1][1] > 2 * CONTEXT:
            yield hunk
            hunk = []
        hunk.append((start, end, new))
    if hunk:
        yield hunk


def _changes(content: str, edits: Sequence[Edit]) -> Iterator[tuple[int, int, list[str]]]:
    """Yield the lines that edits change; edits that share a line are one change."""
    group: list[Edit] = []
    for edit in (*edits, None):
        if group and (edit is None or content.find("\n", group[-1].end, edit.start) < 0):
            if edit is not None:
                group.append(edit)
                continue
            yield _change(content, group)
            return
        if group and edit is not None:
            yield _change(content, group)
            group = []
        if edit is not None:
            group.append(edit)


def _change(content: str, group: Sequence[Edit]) -> tuple[int, int, list[str]]:
    start = content.rfind("\n", 0, group[0].start) + 1
    end = content.find("\n", group[-1].end)
    end = len(content) if end < 0 else end
    new, done = [], start
    for edit in group:
        new += [content[done : edit.start], edit.text]
        done = edit.end
    first = content.count("\n", 0, start)
    last = content.count("\n", 0, end)
    return first, last, "".join((*new, content[done:end])).split("\n")
