"""Draw docs/images/architecture.svg from what the code really imports.

Rows are the layers of `.importlinter`; a box is a package, dashed while it is only planned; an
arrow is an import that no longer chain of imports already implies. The picture is deterministic,
and tests/test_architecture_picture.py fails when it is not the one that belongs to the code.
"""

from __future__ import annotations

import ast
import configparser
from dataclasses import dataclass
from pathlib import Path
from xml.sax.saxutils import escape

import grimp

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "images" / "architecture.svg"
PACKAGE = "keepwall"
WIDTH, ROW, BOX_WIDTH, BOX_HEIGHT, MARGIN = 960, 78, 116, 38, 12

Edges = frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Box:
    """A package in its place; `x` and `y` are of its upper left corner."""

    name: str
    x: int
    y: int
    there: bool
    about: str


def main() -> None:
    """Write the picture."""
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    PICTURE.write_text(picture(), "utf-8")
    print(f"{PICTURE.relative_to(ROOT)} is drawn")


def picture() -> str:
    """Return the SVG of the code as it is now."""
    boxes = place(layers())
    edges = reduced(imports())
    lines = [arrow(boxes[above], boxes[below]) for above, below in sorted(edges)]
    height = ROW * len(layers()) - (ROW - BOX_HEIGHT) + 2 * MARGIN
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="system-ui, sans-serif" font-size="14" text-anchor="middle">\n'
        "<title>Keepwall: packages by layer, and who imports whom</title>\n"
        '<defs><marker id="end" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#7d8a99"/></marker></defs>\n'
        f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#f6f8fa"/>'
    )
    return "\n".join([head, *lines, *map(drawn, boxes.values()), "</svg>", ""])


def layers() -> list[list[str]]:
    """Return the rows of the import contract, the highest first."""
    contract = configparser.ConfigParser()
    contract.read(ROOT / ".importlinter", "utf-8")
    rows = contract["importlinter:contract:layers"]["layers"].strip().splitlines()
    return [[name.strip(" ()") for name in row.split("|")] for row in rows]


def imports() -> Edges:
    """Return (importing, imported) for every two different packages."""
    graph = grimp.build_graph(PACKAGE, cache_dir=None)
    found: set[tuple[str, str]] = set()
    for module in graph.modules:
        for imported in graph.find_modules_directly_imported_by(module):
            above, below = _part(module), _part(imported)
            if above and below and above != below:
                found.add((above, below))
    return frozenset(found)


def _part(module: str) -> str:
    """Return the package of a module; nothing for the package itself and its entry point."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and not parts[1].startswith("__") else ""


def reduced(edges: Edges) -> Edges:
    """Return the edges that no longer path implies; the edges have no cycle."""
    below: dict[str, set[str]] = {}
    for above, under in edges:
        below.setdefault(above, set()).add(under)

    def reachable(name: str) -> set[str]:
        direct = below.get(name, set())
        return direct.union(*(reachable(each) for each in direct))

    return frozenset(
        (above, under)
        for above, under in edges
        if not any(under in reachable(other) for other in below[above] if other != under)
    )


def place(rows: list[list[str]]) -> dict[str, Box]:
    """Return every package's box, each row spread over the width."""
    boxes: dict[str, Box] = {}
    for number, row in enumerate(rows):
        for index, name in enumerate(row):
            centre = WIDTH * (2 * index + 1) // (2 * len(row))
            source = ROOT / "src" / PACKAGE / name / "__init__.py"
            boxes[name] = Box(
                name,
                centre - BOX_WIDTH // 2,
                MARGIN + number * ROW,
                source.is_file(),
                _about(source) if source.is_file() else "planned",
            )
    return boxes


def _about(source: Path) -> str:
    text = ast.get_docstring(ast.parse(source.read_text("utf-8"))) or ""
    return text.partition("\n")[0]


def drawn(box: Box) -> str:
    """Return a box with its name; its first docstring line shows when the pointer rests on it."""
    look = 'fill="#ffffff" stroke="#1f5a85"' if box.there else 'fill="#f6f8fa" stroke="#9aa5b1"'
    dashes = "" if box.there else ' stroke-dasharray="4 3"'
    ink = "#17202a" if box.there else "#6b7785"
    return (
        f"<g><title>{escape(box.about)}</title>"
        f'<rect x="{box.x}" y="{box.y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6" '
        f'{look}{dashes}/><text x="{box.x + BOX_WIDTH // 2}" y="{box.y + 24}" fill="{ink}">'
        f"{escape(box.name)}</text></g>"
    )


def arrow(above: Box, below: Box) -> str:
    """Return an arrow from the lower edge of one box to the upper edge of another."""
    x1, y1 = above.x + BOX_WIDTH // 2, above.y + BOX_HEIGHT
    x2, y2 = below.x + BOX_WIDTH // 2, below.y - 1
    bend = (y2 - y1) // 2
    return (
        f'<path d="M{x1} {y1}C{x1} {y1 + bend} {x2} {y2 - bend} {x2} {y2}" fill="none" '
        'stroke="#7d8a99" stroke-width="1.2" marker-end="url(#end)"/>'
    )


if __name__ == "__main__":
    main()
