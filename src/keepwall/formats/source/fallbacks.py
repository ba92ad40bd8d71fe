"""What an expression falls back on: the texts of defaults, as in ``getenv("MODEL", "gpt-4o")``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from keepwall.formats.source.scope import Scope

_MAXIMUM = 200
_MAXIMUM_DEPTH = 4
_READS = frozenset({"get", "getenv", "config", "env", "pop", "setdefault", "str"})


def fallback(node: ast.expr, scope: Scope, depth: int = 0) -> str:
    """Return the text that `node` most likely is, where no one sets another; else empty.

    Followed are defaults of lookups, ``x or "text"``, ``"text" if x else y``, names with such a
    value, and texts that are put together of those.
    """
    if depth > _MAXIMUM_DEPTH:
        return ""
    kind = type(node)
    found = ""
    if kind is ast.Constant:
        value = node.value  # type: ignore[attr-defined]  # a Constant
        found = value if isinstance(value, str) else ""
    elif kind is ast.Name:
        found = _known(node.id, scope)  # type: ignore[attr-defined]  # a Name
    elif kind is ast.Attribute:
        found = _of_self(node, scope)  # type: ignore[arg-type]  # an Attribute
    elif kind is ast.Call:
        found = _looked_up(node, scope, depth)  # type: ignore[arg-type]  # a Call
    elif kind is ast.BoolOp:
        last = node.values[-1]  # type: ignore[attr-defined]  # a BoolOp
        found = fallback(last, scope, depth + 1)
    elif isinstance(node, ast.IfExp):
        found = fallback(node.orelse, scope, depth + 1) or fallback(node.body, scope, depth + 1)
    elif isinstance(node, ast.JoinedStr):
        found = _joined([_inner(each) for each in node.values], scope, depth)
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        found = _joined([node.left, node.right], scope, depth)
    return found[:_MAXIMUM]


def _known(name: str, scope: Scope) -> str:
    value = scope.value(name)
    return value if isinstance(value, str) else scope.fallback(name)


def _of_self(node: ast.Attribute, scope: Scope) -> str:
    if isinstance(node.value, ast.Name) and node.value.id == "self":
        return _known(f"self.{node.attr}", scope) or _known(node.attr, scope)
    return ""


def _looked_up(node: ast.Call, scope: Scope, depth: int) -> str:
    """Return the default of ``get(name, default)`` and of ``getattr(x, name, default)``."""
    function = node.func
    last = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
    if last in _READS and len(node.args) == 2:  # noqa: PLR2004 - what is asked for, and the default
        return fallback(node.args[1], scope, depth + 1)
    if last == "getattr" and len(node.args) == 3:  # noqa: PLR2004 - same
        return fallback(node.args[2], scope, depth + 1)
    for keyword in node.keywords:
        if keyword.arg == "default":
            return fallback(keyword.value, scope, depth + 1)
    return ""


def _joined(parts: list[ast.expr], scope: Scope, depth: int) -> str:
    """Return the parts as one text, or nothing where one of them is not known."""
    texts = [fallback(each, scope, depth + 1) for each in parts[:10]]
    return "".join(texts) if all(texts) else ""


def _inner(node: ast.expr) -> ast.expr:
    return node.value if isinstance(node, ast.FormattedValue) else node


def parameter_defaults(arguments: ast.arguments) -> Iterator[tuple[str, ast.expr]]:
    """Yield the parameters that have a default, with it."""
    positional = [*arguments.posonlyargs, *arguments.args]
    first = len(positional) - len(arguments.defaults)
    for argument, value in zip(positional[first:], arguments.defaults, strict=False):
        yield argument.arg, value
    for argument, each in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=False):
        if each is not None:
            yield argument.arg, each
