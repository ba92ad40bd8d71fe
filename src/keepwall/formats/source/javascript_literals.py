"""Literals of a JavaScript syntax tree as JSON values, bounded."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from math import isfinite

from tree_sitter import Node

from keepwall.formats.source.literals import MAXIMUM_TEXT, NOT_LITERAL

_MAXIMUM_ITEMS = 50
_MAXIMUM_DEPTH = 6
_MAXIMUM_INTEGER = 2**53
_ESCAPE = re.compile(
    r"\\(?:u\{([0-9a-fA-F]{1,6})\}|u([0-9a-fA-F]{4})|x([0-9a-fA-F]{2})|(\r\n|.))", re.DOTALL
)
_SIMPLE = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f", "v": "\v", "0": "\0"}
_WRAPPED = frozenset(
    {"parenthesized_expression", "as_expression", "satisfies_expression", "non_null_expression"}
    | {"await_expression", "type_assertion"}
)
_WORDS = {b"true": True, b"false": False, b"null": None, b"undefined": None}
_CHOICES = frozenset({"||", "??"})

Lookup = Callable[[Node], object]
"""Returns the literal that a name or member stands for, or `NOT_LITERAL`."""


def plain(data: bytes, node: Node) -> str:
    """Return the source of `node`."""
    return data[node.start_byte : node.end_byte].decode("utf-8", "replace")


def core(node: Node) -> Node:
    """Return the expression within parentheses, ``await`` and what TypeScript asserts."""
    for _ in range(20):
        kind = node.type
        if kind not in _WRAPPED or not node.named_child_count:
            break
        node = node.named_children[-1 if kind == "type_assertion" else 0]
    return node


def string(data: bytes, node: Node) -> str:
    """Return the text of a string or of a template; ``{}`` stands for what is filled in."""
    if node.type == "string":
        return _unescaped(data[node.start_byte + 1 : node.end_byte - 1])
    start, parts = node.start_byte + 1, []
    for child in node.named_children:
        if child.type == "template_substitution":
            parts += [_unescaped(data[start : child.start_byte]), "{}"]
            start = child.end_byte
    return "".join((*parts, _unescaped(data[start : node.end_byte - 1])))


def _unescaped(raw: bytes) -> str:
    text = raw.decode("utf-8", "replace")
    return _ESCAPE.sub(_character, text) if "\\" in text else text


def _character(match: re.Match[str]) -> str:
    digits = match[1] or match[2] or match[3]
    if digits:
        code = int(digits, 16)
        return chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else "\ufffd"  # noqa: PLR2004 - Unicode
    return "" if match[4] in ("\n", "\r\n", "\r") else _SIMPLE.get(match[4], match[4])


def is_filled(node: Node) -> bool:
    """Return whether a template has something filled in."""
    return any(child.type == "template_substitution" for child in node.named_children)


def properties(data: bytes, node: Node) -> Iterator[tuple[str, Node]]:
    """Yield the first properties of an object: their names with their values (or methods)."""
    for each in node.named_children[:_MAXIMUM_ITEMS]:
        kind = each.type
        if kind == "shorthand_property_identifier":
            yield plain(data, each), each
        elif kind == "method_definition" and (name := each.child_by_field_name("name")):
            yield property_name(data, name), each
        elif kind == "pair":
            key, value = each.child_by_field_name("key"), each.child_by_field_name("value")
            if key is not None and value is not None and key.type != "computed_property_name":
                yield property_name(data, key), value


def property_name(data: bytes, node: Node) -> str:
    """Return the name of a property, cut at 200 characters."""
    return (string(data, node) if node.type == "string" else plain(data, node))[:200]


def literal(data: bytes, node: Node, lookup: Lookup, depth: int = 0) -> object:
    """Return the value of `node`, or `NOT_LITERAL`.

    Inside a collection, items that are not literal become null. Long texts are cut, long
    collections too; texts that are put together of literals are one.
    """
    node = core(node)
    kind = node.type
    if kind == "string" or (kind == "template_string" and not is_filled(node)):
        return string(data, node)[:MAXIMUM_TEXT]
    if kind in ("identifier", "member_expression", "shorthand_property_identifier"):
        value = lookup(node)
        # A table within a table within a table … would swell beyond all bounds.
        return NOT_LITERAL if depth and isinstance(value, list | dict) else value
    if kind in ("true", "false", "null", "undefined"):
        return _WORDS[data[node.start_byte : node.end_byte]]
    if kind == "number":
        return _number(data[node.start_byte : node.end_byte])
    if depth >= _MAXIMUM_DEPTH:
        return NOT_LITERAL
    if kind == "array":
        items = node.named_children[:_MAXIMUM_ITEMS]
        return [_item(data, each, lookup, depth) for each in items if each.type != "comment"]
    if kind == "object":
        return {name: _item(data, value, lookup, depth) for name, value in properties(data, node)}
    return _composed(data, node, lookup, depth)


def _composed(data: bytes, node: Node, lookup: Lookup, depth: int) -> object:
    """Return the value of an operation whose operands are literal."""
    kind = node.type
    if kind == "template_string":
        return _filled(data, node, lookup, depth)
    if kind == "unary_expression":
        operand = node.child_by_field_name("argument")
        value = literal(data, operand, lookup, depth + 1) if operand is not None else None
        negative = data[node.start_byte : node.start_byte + 1] == b"-"
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return -value if negative and number else NOT_LITERAL  # type: ignore[operator]  # a number
    if kind == "binary_expression" and operator(data, node) == "+":
        left, right = operands(node)
        if left is None or right is None:
            return NOT_LITERAL
        first = literal(data, left, lookup, depth + 1)
        second = literal(data, right, lookup, depth + 1)
        if isinstance(first, str) and isinstance(second, str):
            return (first + second)[:MAXIMUM_TEXT]
    if kind == "new_expression":  # new URL("https://…")
        made = node.child_by_field_name("constructor")
        given = node.child_by_field_name("arguments")
        if made is not None and given is not None and plain(data, made) == "URL":
            inside = given.named_children
            return literal(data, inside[0], lookup, depth + 1) if len(inside) == 1 else NOT_LITERAL
    return NOT_LITERAL


def _filled(data: bytes, node: Node, lookup: Lookup, depth: int) -> object:
    """Return a template in which everything that is filled in is a text."""
    start, parts = node.start_byte + 1, []
    for child in node.named_children[: 2 * _MAXIMUM_ITEMS]:
        if child.type == "template_substitution":
            inside = child.named_children[:1]
            value = literal(data, inside[0], lookup, depth + 1) if inside else NOT_LITERAL
            if not isinstance(value, str):
                return NOT_LITERAL
            parts += [_unescaped(data[start : child.start_byte]), value]
            start = child.end_byte
    return "".join((*parts, _unescaped(data[start : node.end_byte - 1])))[:MAXIMUM_TEXT]


def _item(data: bytes, node: Node, lookup: Lookup, depth: int) -> object:
    value = literal(data, node, lookup, depth + 1)
    return None if value is NOT_LITERAL else value


def _number(raw: bytes) -> object:
    text = raw.decode("ascii", "replace").replace("_", "").lower()
    try:
        value = float(text) if not text.startswith(("0x", "0b", "0o")) else int(text, 0)
    except ValueError:
        return NOT_LITERAL
    if not isfinite(value) or abs(value) > _MAXIMUM_INTEGER:
        return NOT_LITERAL
    return int(value) if float(value).is_integer() and "." not in text else value


def operator(data: bytes, node: Node) -> str:
    """Return the operator of a binary expression."""
    found = node.child_by_field_name("operator")
    return plain(data, found) if found is not None else ""


def operands(node: Node) -> tuple[Node | None, Node | None]:
    """Return both sides of a binary expression."""
    return node.child_by_field_name("left"), node.child_by_field_name("right")


def alternatives(data: bytes, node: Node) -> list[Node]:
    """Return what `node` falls back on: ``a ?? b``, ``a || b`` and ``a ? b : c``, last first."""
    if node.type == "ternary_expression":
        chosen = (node.child_by_field_name(each) for each in ("alternative", "consequence"))
        return [each for each in chosen if each is not None]
    if node.type == "binary_expression" and operator(data, node) in _CHOICES:
        return [each for each in operands(node)[::-1] if each is not None]
    return []
