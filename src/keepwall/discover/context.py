"""What is known of a tree before its files are read: its project and who owns what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from keepwall.discover.catalogue import catalogue
from keepwall.discover.limits import Limits
from keepwall.discover.neighbours import Neighbours
from keepwall.discover.project import CODEOWNERS, read_codeowners
from keepwall.discover.reading import UnreadableError, opened, shown_path
from keepwall.discover.source import TreeContext
from keepwall.rulebook.interest import Asked
from keepwall.vocabulary.asset import Asset, AssetKind, Location
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.surface import Surface

_MOST_OWNERS = 1 << 20


def tree_context(root: Path, limits: Limits, asked: Asked | None = None) -> TreeContext:
    """Return the context of the tree at `root`; without `asked`, every call in code is told."""
    name = shown_path(root.resolve().name) or "root"
    text = owners_text(root)
    owners: Callable[[str], str] = read_codeowners(text) if text else _nobody
    project = Asset(AssetKind.PROJECT, name, name, Surface.PIPELINE, (Location("."),), owners(""))
    context = TreeContext(project, catalogue(), limits, owners, near=Neighbours(root))
    return context if asked is None else context.asked_by(asked)


def owners_text(root: Path) -> str:
    """Return the CODEOWNERS file that counts, or an empty text."""
    for place in CODEOWNERS:
        try:
            with opened(str(root / place)) as file:
                return file.read_at(0, _MOST_OWNERS).decode("utf-8", "replace")
        except (UnreadableError, FormatError):
            continue
    return ""


def _nobody(_path: str) -> str:
    return ""
