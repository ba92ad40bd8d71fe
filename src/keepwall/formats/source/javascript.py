"""JavaScript and TypeScript source: calls with imports resolved, and the functions around them.

The source is parsed, never run. Modules are named ``npm:<package>.<path>`` and ``node:<module>``;
the properties of an object that is an argument count as keywords, in snake case, so that
``new ChatOpenAI({modelName: "gpt-4o"})`` reads like the same call in Python.
"""

from __future__ import annotations

from collections.abc import Mapping

from keepwall.formats.source.javascript_calls import CallReader
from keepwall.formats.source.javascript_modules import Modules
from keepwall.formats.source.javascript_names import Names
from keepwall.formats.source.javascript_reader import Outline
from keepwall.formats.source.javascript_syntax import Dialect, parse
from keepwall.formats.source.model import Module
from keepwall.vocabulary.errors import FormatError

DEFAULT_SOURCE_BYTES = 1 << 20
_LONG_LINE = 5_000
_DENSE_LINES = 400
_SMALL = 4_000
_DIALECTS: Mapping[str, Dialect] = {
    ".js": Dialect.JAVASCRIPT,
    ".mjs": Dialect.JAVASCRIPT,
    ".cjs": Dialect.JAVASCRIPT,
    ".jsx": Dialect.JAVASCRIPT,
    ".ts": Dialect.TYPESCRIPT,
    ".mts": Dialect.TYPESCRIPT,
    ".cts": Dialect.TYPESCRIPT,
    ".tsx": Dialect.TSX,
}


def dialect_of(name: str) -> Dialect | None:
    """Return the grammar of a file by its name, or None where it is none of these languages."""
    return _DIALECTS.get(name[name.rfind(".") :].lower()) if "." in name else None


def generated(data: bytes) -> str:
    """Return why the source was made by a program (minified, bundled), else an empty text."""
    if b"__webpack_require__" in data or b"__turbopack_" in data:
        return "generated: a bundle"
    if len(data) < _SMALL:
        return ""
    lines = data.count(b"\n") + 1
    longest = max(map(len, data.split(b"\n")))
    if longest > _LONG_LINE and len(data) / lines > _DENSE_LINES:
        return f"generated: {len(data)} bytes in {lines} lines"
    return ""


def read_javascript(
    data: bytes,
    dialect: Dialect,
    *,
    limit: int = DEFAULT_SOURCE_BYTES,
    defaults: Mapping[str, str] | None = None,
) -> Module:
    """Return what the module in `data` says; of broken syntax, what could be parsed.

    `defaults` names the default exports of modules: ``{"npm:openai": "OpenAI"}``.

    Raises:
        FormatError: it is larger than `limit` bytes, generated, or too dense or slow to parse.
    """
    if len(data) > limit:
        raise FormatError(f"{len(data)} bytes of source, more than {limit}")
    if reason := generated(data):
        raise FormatError(reason)
    data = data.removeprefix(b"\xef\xbb\xbf")
    syntax = parse(data, dialect)
    modules = Modules(defaults or {})
    outline = Outline(data, modules)
    outline.read(syntax)
    return CallReader(outline, Names(data, modules)).module(syntax)
