"""What templates of infrastructure have in common: resources that they declare, and references.

In every value a text is a literal, or holds ``${…}`` where it is known only when it is deployed;
``${Name}`` and ``${Name.part}`` refer to something else of the same template.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keepwall.vocabulary.json_value import JsonValue

_REFERENCE = re.compile(r"\$\{([A-Za-z_]\w{0,200})")
_DEPTH = 40


@dataclass(frozen=True, slots=True)
class Declared:
    """A resource that a template declares; `line` is where its name stands, from 1."""

    name: str
    type: str
    properties: Mapping[str, JsonValue]
    line: int


def is_literal(text: str) -> bool:
    """Return whether a text is known without deploying anything."""
    return "${" not in text


def texts(value: JsonValue, field: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Yield every text in a value with the name of the innermost field that holds it."""
    if isinstance(value, str):
        yield field, value
    elif isinstance(value, Mapping) and depth < _DEPTH:
        for name, each in value.items():
            yield from texts(each, name, depth + 1)
    elif isinstance(value, list) and depth < _DEPTH:
        for each in value:
            yield from texts(each, field, depth + 1)


def references(value: JsonValue) -> Iterator[tuple[str, str]]:
    """Yield the innermost field and the name of each reference in a value."""
    for field, text in texts(value):
        for found in _REFERENCE.finditer(text):
            yield field, found[1]


def at(value: JsonValue, dotted: str) -> str:
    """Return the literal text below the dotted path in `value`, or an empty text."""
    for part in filter(None, dotted.split(".")):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value[:300] if isinstance(value, str) and is_literal(value) else ""
