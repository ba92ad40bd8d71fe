"""Tables for a terminal: as wide as it is, and nothing that is shown can steer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, chop_cells

from keepwall.formats.plain_text import visible
from keepwall.vocabulary.surface import Severity

BOLD, DIM, RED, YELLOW, CYAN, GREEN = "1", "2", "31", "33", "36", "32"
SEVERITY_STYLE = {
    Severity.CRITICAL: "1;31",
    Severity.HIGH: RED,
    Severity.MEDIUM: YELLOW,
    Severity.LOW: CYAN,
    Severity.INFO: DIM,
}
GAP = "  "


@dataclass(frozen=True, slots=True)
class Cell:
    """What stands in one cell; `style` is an SGR parameter such as ``1;31``.

    Where it must be cut, a cell with `tail` keeps its end, as a path with a line number wants.
    """

    text: str
    style: str = ""
    tail: bool = False


def styled(text: str, style: str, *, color: bool) -> str:
    """Return `text`, made visible, in a style if there is colour."""
    shown = visible(text)
    return f"\x1b[{style}m{shown}\x1b[0m" if color and style else shown


def fitted(text: str, width: int) -> str:
    """Return `text` in exactly `width` terminal cells: padded, or cut with an ellipsis."""
    length = cell_len(text)
    if length <= width:
        return text + " " * (width - length)
    kept = chop_cells(text, width - 1)[0] if width > 1 else ""
    return kept + "…" + " " * (width - 1 - cell_len(kept))


def fitted_tail(text: str, width: int) -> str:
    """Return the end of `text` in at most `width` terminal cells, marked if it was cut."""
    if cell_len(text) <= width:
        return text
    start = max(len(text) - width, 0)
    while start < len(text) and cell_len(text[start:]) > width - 1:
        start += 1
    return "…" + text[start:]


def render_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell | str]],
    *,
    width: int,
    color: bool = False,
    shrink: Sequence[tuple[int, int]] = (),
) -> str:
    """Return a table of at most `width` cells per line, one line per row.

    When the table is too wide, the columns in `shrink` (number, least width) give way, the first
    one first; only then are lines cut.
    """
    cells = [[each if isinstance(each, Cell) else Cell(each) for each in row] for row in rows]
    shown = [[visible(each.text) for each in row] for row in cells]
    widths = [
        max(cell_len(title), *(cell_len(row[column]) for row in shown), 0)
        for column, title in enumerate(headers)
    ]
    excess = sum(widths) + len(GAP) * (len(widths) - 1) - width
    for column, least in shrink:
        taken = min(max(excess, 0), max(widths[column] - least, 0))
        widths[column] -= taken
        excess -= taken
    lines = [_line([Cell(title, BOLD) for title in headers], headers, widths, width, color=color)]
    lines += [
        _line(row, texts, widths, width, color=color)
        for row, texts in zip(cells, shown, strict=True)
    ]
    return "\n".join(lines)


def _line(
    cells: Sequence[Cell], texts: Sequence[str], widths: Sequence[int], limit: int, *, color: bool
) -> str:
    """Return one line; the last cell is not padded, and nothing goes past `limit`."""
    parts: list[str] = []
    room = limit
    for number, (cell, text, width) in enumerate(zip(cells, texts, widths, strict=True)):
        if room <= 0:
            break
        fit = min(width, room)
        shown = fitted(fitted_tail(text, fit) if cell.tail else text, fit)
        room -= min(width, room) + len(GAP)
        if number == len(cells) - 1:
            shown = shown.rstrip()
        parts.append(f"\x1b[{cell.style}m{shown}\x1b[0m" if color and cell.style else shown)
    return GAP.join(parts).rstrip()
