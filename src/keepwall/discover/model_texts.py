"""Models that are written as text, and configurations that name code of their own."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterator

from keepwall.discover.source import FileView, Source, TreeContext, asset
from keepwall.formats.modelfile.written import written_model
from keepwall.formats.safe_json import load_json
from keepwall.vocabulary.asset import AssetKind, Relation, RelationKind
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_ENDINGS = (".json", ".xml", ".pmml", ".txt")
_HINTS = (
    b"tree\n",
    b"tree\r\n",
    b"<PMML",
    b"<net ",
    b'"learner"',
    b'"oblivious_trees"',
    b'"arg_nodes"',
    b'"auto_map"',
)


def _wants(path: str, _context: TreeContext) -> bool:
    return path.lower().endswith(_ENDINGS)


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    if not any(each in view.data for each in _HINTS):
        return
    if view.name == "config.json":
        code = _own_code(view, context)
        if code:
            reason = f"auto_map loads {', '.join(code[:3])} where remote code is trusted"
            yield from _model(view, "transformers-code", reason, context)
        return
    if kind := written_model(view.data, view.name):
        yield from _model(view, kind, "", context)


def _own_code(view: FileView, context: TreeContext) -> list[str]:
    """Return the modules beside a configuration of transformers that it has loaded."""
    try:
        document = load_json(view.data, depth=context.limits.nesting)
    except FormatError:
        return []  # named by who reads it as settings
    table = document.get("auto_map") if isinstance(document, dict) else None
    named = table.values() if isinstance(table, dict) else ()
    modules = {str(each).rpartition("--")[2].partition(".")[0] + ".py" for each in named if each}
    beside = context.near.files(posixpath.dirname(view.path))
    return sorted(modules.intersection(beside))


def _model(view: FileView, kind: str, reason: str, context: TreeContext) -> Iterator[Observation]:
    found = asset(
        context,
        AssetKind.MODEL_FILE,
        f"sha256:{hashlib.sha256(view.data).hexdigest()}",
        posixpath.basename(view.path),
        Surface.REGISTRY,
        view.at(),
        {"format": kind, "size": str(len(view.data))},
    )
    yield found
    yield Relation(context.project.id, RelationKind.USES, found.id)
    value: dict[str, JsonValue] = {
        "format": kind,
        "size": len(view.data),
        "executes": bool(reason),
        "imports": [],
        "reason": reason,
    }
    yield Fact("model.file", found.id, value, view.path)


MODEL_TEXTS = Source("model-texts", _wants, _observe)
