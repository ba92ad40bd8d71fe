"""Notebooks: their code, their outputs, and what they install."""

from __future__ import annotations

from collections.abc import Iterator

from keepwall.content.secrets import find_secrets
from keepwall.discover.manifests import observe_dependency
from keepwall.discover.python_code import observe_module
from keepwall.discover.secret_facts import observe_secrets
from keepwall.discover.source import (
    FileView,
    Source,
    TreeContext,
    asset,
    uses,
)
from keepwall.formats.manifest import requirement
from keepwall.formats.source.notebook import Notebook, read_notebook
from keepwall.vocabulary.asset import Asset, AssetKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_NO_TEXT = ("image/", "video/", "audio/", "application/pdf")


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith(".ipynb")


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    notebook = read_notebook(view.data)
    name = view.path.rpartition("/")[2]
    attributes = {"language": notebook.language, "cells": str(len(notebook.cells))}
    holder = asset(
        context, AssetKind.NOTEBOOK, view.path, name, Surface.NOTEBOOK, view.at(), attributes
    )
    yield holder
    yield uses(context.project, holder)
    yield from observe_module(notebook.module, view, context, holder)
    for text, line in notebook.installs:
        declared = requirement(text, line)
        if declared is not None:
            yield from observe_dependency(declared, view, context, holder)
    for cell in notebook.cells:
        matches = find_secrets(cell.source[: context.limits.secret_bytes])
        by_line = cell.by_line and cell.line > 0
        yield from observe_secrets(
            matches, "source", view, holder, first=cell.line, by_line=by_line
        )
    yield from _outputs(notebook, view, holder)
    if notebook.unread:
        cells = ", ".join(str(index) for index, _ in notebook.unread[:10])
        yield Unread(view.path, f"cells {cells}: {notebook.unread[0][1]}")


def _outputs(notebook: Notebook, view: FileView, holder: Asset) -> Iterator[Observation]:
    for output in notebook.outputs:
        value: dict[str, JsonValue] = {
            "cell": output.cell,
            "mime": output.mime,
            "bytes": output.size,
        }
        line = notebook.cells[output.cell].line
        yield Fact("notebook.output", holder.id, value, view.path, line)
        if not output.mime.startswith(_NO_TEXT):
            matches = find_secrets(output.text)
            yield from observe_secrets(matches, "output", view, holder, first=line, by_line=False)


NOTEBOOKS = Source("notebook", _wants, _observe)
