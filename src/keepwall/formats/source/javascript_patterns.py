"""What patterns of JavaScript bind: destructuring, parameters and their defaults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tree_sitter import Node

from keepwall.formats.source.javascript_literals import plain, property_name

_MAXIMUM_NAMES = 200
_MAXIMUM_DEPTH = 8


@dataclass(frozen=True, slots=True)
class Bound:
    """A name that a pattern binds; `known` tells whether `path` leads to it from the value.

    `is_field` marks a parameter of a constructor that becomes a field.
    """

    name: str
    path: tuple[str, ...] = ()
    known: bool = True
    fallback: Node | None = None
    annotation: Node | None = None
    is_field: bool = False


def bound_names(data: bytes, pattern: Node) -> Iterator[Bound]:
    """Yield what a pattern such as ``{a, b: {c = 1}, ...d}`` binds."""
    count = 0
    waiting: list[tuple[Node, Bound]] = [(pattern, Bound(""))]
    while waiting and count < _MAXIMUM_NAMES:
        node, at = waiting.pop()
        kind = node.type
        if kind in ("identifier", "shorthand_property_identifier_pattern"):
            count += 1
            name = plain(data, node)
            path = (*at.path, name) if kind != "identifier" else at.path
            yield Bound(name, path, at.known, at.fallback)
        elif kind in ("object_pattern", "array_pattern", "rest_pattern"):
            known = at.known and kind == "object_pattern" and len(at.path) < _MAXIMUM_DEPTH
            inner = Bound("", at.path, known)
            waiting += [(each, inner) for each in node.named_children[::-1]]
        elif kind == "pair_pattern":
            key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
            if key is not None and value is not None:
                waiting.append((value, Bound("", (*at.path, property_name(data, key)), at.known)))
        elif kind in ("object_assignment_pattern", "assignment_pattern"):
            left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
            if left is not None:
                waiting.append((left, Bound("", at.path, at.known, right)))


def parameters(data: bytes, function: Node) -> Iterator[Bound]:
    """Yield the parameters of a function, with types and defaults."""
    single = function.child_by_field_name("parameter")
    if single is not None:
        yield Bound(plain(data, single))
        return
    listed = function.child_by_field_name("parameters")
    for each in listed.named_children[:_MAXIMUM_NAMES] if listed is not None else ():
        if each.type not in ("required_parameter", "optional_parameter"):
            yield from bound_names(data, each)
            continue
        pattern = each.child_by_field_name("pattern")
        if pattern is None:
            continue
        if pattern.type != "identifier":
            yield from bound_names(data, pattern)
            continue
        is_field = any(child.type == "accessibility_modifier" for child in each.named_children)
        yield Bound(
            plain(data, pattern),
            fallback=each.child_by_field_name("value"),
            annotation=each.child_by_field_name("type"),
            is_field=is_field or any(child.type == "readonly" for child in each.children),
        )
