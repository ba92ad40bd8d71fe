"""JavaScript and TypeScript modules: what they say of AI, by the same tables as Python."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from keepwall.discover.javascript_names import renamed
from keepwall.discover.python_code import observe_module
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.formats.source.javascript import dialect_of, generated, read_javascript
from keepwall.formats.source.javascript_modules import module_name
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.scan import Observation

_SPECIFIERS = re.compile(
    rb"(?:from|require\s{0,3}\(|import\s{0,3}\(?)\s{0,20}[\"'`]([^\"'`\n]{1,200})[\"'`]"
)
_COMPUTED = re.compile(rb"(?:require|import)\s{0,3}\(\s{0,20}[^\s\"'`)]")
_NO_CODE = re.compile(r"(?i)(?:\.d\.[cm]?ts|[.-]min\.[cm]?js|\.bundle\.js|\.pnp\.c?js)$")


def _wants(path: str, _context: TreeContext) -> bool:
    return dialect_of(path) is not None and _NO_CODE.search(path) is None


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    dialect = dialect_of(view.path)
    if dialect is None or not _worth_reading(view.data, context):
        return
    module = read_javascript(
        view.data,
        dialect,
        limit=context.limits.source_bytes,
        defaults=context.catalogue.script["defaults"],
    )
    module = renamed(module, context.catalogue)
    yield from observe_module(module, view, context, context.project)


def _worth_reading(data: bytes, context: TreeContext) -> bool:
    """Return whether the source may say something of AI, judged by its words.

    Raises:
        FormatError: it may, but was made by a program.
    """
    hints: Mapping[str, list[str]] = context.catalogue.script["hints"]
    lowered = data.lower()
    speaks = any(each.encode() in lowered for each in hints["plain"]) or _imports_known(
        data, context
    )
    if speaks and (reason := generated(data)):
        raise FormatError(reason)
    risky = speaks or any(each.encode() in lowered for each in hints["risky"])
    return risky and not (not speaks and generated(data))


def _imports_known(data: bytes, context: TreeContext) -> bool:
    """Return whether the source imports a library of AI, or something that it computes."""
    for match in _SPECIFIERS.finditer(data):
        name = module_name(match[1].decode("utf-8", "replace"))
        if context.catalogue.imported(name) is not None:
            return True
    return _COMPUTED.search(data) is not None


JAVASCRIPT_CODE = Source("javascript", _wants, _observe)
