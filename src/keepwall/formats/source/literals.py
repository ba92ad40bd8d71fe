"""Literals of a syntax tree as JSON values, bounded."""

from __future__ import annotations

import ast
from collections.abc import Callable
from math import isfinite

from keepwall.vocabulary.json_value import JsonValue

MAXIMUM_TEXT = 2_000
_MAXIMUM_ITEMS = 50
_MAXIMUM_DEPTH = 4
_MAXIMUM_INTEGER = 2**53

NOT_LITERAL = object()
"""Stands for an expression whose value is not written in the source."""

Lookup = Callable[[str], object]


def literal(node: ast.expr, lookup: Lookup, depth: int = 0) -> object:
    """Return the value of `node`, or `NOT_LITERAL`.

    `lookup` returns the literal that a name was assigned, or `NOT_LITERAL`. Inside a collection,
    items that are not literal become null. Long texts are cut, long collections too.
    """
    if isinstance(node, ast.Constant):
        return _constant(node.value)
    if isinstance(node, ast.Name):
        return lookup(node.id)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = literal(node.operand, lookup, depth + 1) if depth < _MAXIMUM_DEPTH else None
        return -value if isinstance(value, int | float) else NOT_LITERAL
    if depth >= _MAXIMUM_DEPTH:
        return NOT_LITERAL
    if isinstance(node, ast.List | ast.Tuple | ast.Set):
        return [_item(each, lookup, depth) for each in node.elts[:_MAXIMUM_ITEMS]]
    if isinstance(node, ast.Dict):
        pairs = zip(node.keys[:_MAXIMUM_ITEMS], node.values, strict=False)
        return {
            key.value[:MAXIMUM_TEXT]: _item(value, lookup, depth)
            for key, value in pairs
            if isinstance(key, ast.Constant) and isinstance(key.value, str)
        }
    return NOT_LITERAL


def literal_or_null(node: ast.expr, lookup: Lookup) -> JsonValue:
    """Return the value of `node`, or None when it is not a literal."""
    value = literal(node, lookup)
    return None if value is NOT_LITERAL else value  # type: ignore[return-value]  # built of JSON values above


def _item(node: ast.expr, lookup: Lookup, depth: int) -> object:
    value = literal(node, lookup, depth + 1)
    return None if value is NOT_LITERAL else value


def _constant(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return value[:MAXIMUM_TEXT]
    if isinstance(value, int):
        return value if abs(value) <= _MAXIMUM_INTEGER else NOT_LITERAL
    if isinstance(value, float):
        return value if isfinite(value) else NOT_LITERAL
    return NOT_LITERAL
