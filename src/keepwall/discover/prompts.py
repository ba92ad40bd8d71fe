"""Instruction files for models and agents."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from keepwall.discover.python_code import prompt_fact
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.vocabulary.scan import Observation


def _wants(path: str, context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    files = context.catalogue.files
    return name in files["prompt_names"] or name.endswith(tuple(files["prompt_suffixes"]))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    yield prompt_fact(view.text, "instructions", view, context, context.project, 0)


PROMPTS = Source("prompt", _wants, _observe)
