"""Notebooks: their code, their outputs, and what they install."""

from __future__ import annotations

from collections.abc import Iterator

from keepwall.content.secrets import find_secrets
from keepwall.discover.python_code import observe_module
from keepwall.discover.secret_facts import observe_secrets
from keepwall.discover.source import (
    FileView,
    Source,
    TreeContext,
    asset,
    library_asset,
    uses,
)
from keepwall.formats.manifest import requirement
from keepwall.formats.source.notebook import Cell, read_notebook
from keepwall.vocabulary.asset import AssetKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface


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
        library = context.catalogue.library("pypi", declared.name) if declared else None
        if declared is not None and library is not None:
            found = library_asset(
                context, library, view.at(line), declared.version if declared.pinned else ""
            )
            yield found
            yield uses(holder, found)
            value = {
                "ecosystem": "pypi",
                "name": declared.name,
                "version": declared.version,
                "pinned": declared.pinned,
                "hashed": False,
                "manifest": view.path,
            }
            yield Fact("dependency.declared", holder.id, value, view.path, line)
    for cell in notebook.cells:
        yield from observe_secrets(
            find_secrets(cell.source[: context.limits.secret_bytes]),
            "source",
            view,
            holder,
            line=_line_of(cell),
        )
    for output in notebook.outputs:
        value = {"cell": output.cell, "mime": output.mime, "bytes": output.size}
        line = notebook.cells[output.cell].line
        yield Fact("notebook.output", holder.id, value, view.path, line)
        if not output.mime.startswith(("image/", "video/", "audio/", "application/pdf")):
            yield from observe_secrets(
                find_secrets(output.text), "output", view, holder, line=lambda _, at=line: at
            )
    if notebook.unread:
        cells = ", ".join(str(index) for index, _ in notebook.unread[:10])
        yield Unread(view.path, f"cells {cells}: {notebook.unread[0][1]}")


def _line_of(cell: Cell):  # noqa: ANN202
    if cell.by_line and cell.line:
        return lambda line: cell.line + line - 1
    return lambda _: cell.line


NOTEBOOKS = Source("notebook", _wants, _observe)
