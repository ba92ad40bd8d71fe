"""Conditions on one field: the leaves of the match language."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Final

from keepwall.rulebook.source import Marked
from keepwall.vocabulary.json_value import JsonValue

MAX_PATTERN: Final = 600
MAX_SUBJECT: Final = 4_096


class Missing(Enum):
    """The value of a field that a fact does not have."""

    MISSING = "missing"


FieldValue = JsonValue | Missing
Condition = Callable[[FieldValue], bool]
_Strings = tuple[str, ...]


def condition(node: Marked) -> Condition:
    """Return the compiled condition that `node` writes down.

    A scalar or list is literal equality. A mapping holds one or more of `in`, `not_in`, `not`
    (a literal or a condition), `contains`, `matches`, `starts_with`, `greater_than`, `exists`, and
    all of them must hold. On a list, `matches` and `starts_with` look at every entry, and
    `matches` also at the entries joined by spaces (which is how a command line is written).
    A field that is missing satisfies only `not`, `not_in` and ``exists: false``.

    Raises:
        RuleError: an operator is unknown or its operand has the wrong type.
    """
    if not isinstance(node.value, dict):
        expected = node.plain()
        return lambda value: _equal(value, expected)
    if not node.value:
        raise node.error("a condition is empty")
    node.keys_within(frozenset(_OPERATORS))
    parts = [_OPERATORS[name](operand) for name, operand in node.value.items()]
    if len(parts) == 1:
        return parts[0]
    return lambda value: all(part(value) for part in parts)


def _equal(value: FieldValue, expected: JsonValue) -> bool:
    """Compare as JSON does: true is not 1, and text compares without regard to type tricks."""
    if isinstance(value, Missing) or isinstance(value, bool) is not isinstance(expected, bool):
        return False
    if isinstance(value, (list, tuple)) and isinstance(expected, (list, tuple)):
        return list(value) == list(expected)
    return value == expected


def _in(node: Marked) -> Condition:
    options = [option.plain() for option in node.items()]
    if all(isinstance(option, str) for option in options):
        texts = frozenset(option for option in options if isinstance(option, str))
        return lambda value: isinstance(value, str) and value in texts
    return lambda value: any(_equal(value, option) for option in options)


def _not_in(node: Marked) -> Condition:
    inside = _in(node)
    return lambda value: not inside(value)


def _not(node: Marked) -> Condition:
    inner = condition(node)
    return lambda value: not inner(value)


def _contains(node: Marked) -> Condition:
    options = (
        [entry.plain() for entry in node.items()]
        if isinstance(node.value, list)
        else [node.plain()]
    )

    def holds(value: FieldValue) -> bool:
        if isinstance(value, str):
            return any(isinstance(option, str) and option in value for option in options)
        if isinstance(value, Mapping):
            return any(option in value for option in options if isinstance(option, str))
        if isinstance(value, (list, tuple)):
            return any(_equal(entry, option) for entry in value for option in options)
        return False

    return holds


def _matches(node: Marked) -> Condition:
    text = node.text()
    if len(text) > MAX_PATTERN:
        raise node.error(f"a pattern has at most {MAX_PATTERN} characters")
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise node.error(f"not a regular expression: {error}") from error

    def holds(value: FieldValue) -> bool:
        if isinstance(value, str):
            return pattern.search(value[:MAX_SUBJECT]) is not None
        entries = _strings(value)
        line = (" ".join(entries),) if len(entries) > 1 else ()
        return any(pattern.search(entry[:MAX_SUBJECT]) for entry in (*entries, *line))

    return holds


def _starts_with(node: Marked) -> Condition:
    prefixes = tuple(
        entry.text() for entry in (node.value if isinstance(node.value, list) else [node])
    )
    return lambda value: any(entry.startswith(prefixes) for entry in _strings(value))


def _greater_than(node: Marked) -> Condition:
    limit = node.value
    if isinstance(limit, bool) or not isinstance(limit, (int, float)):
        raise node.error("greater_than needs a number")
    bound = float(limit)
    return lambda value: (
        isinstance(value, (int, float)) and not isinstance(value, bool) and value > bound
    )


def _exists(node: Marked) -> Condition:
    wanted = node.value
    if not isinstance(wanted, bool):
        raise node.error("exists needs true or false")
    return lambda value: isinstance(value, Missing) is not wanted


def _strings(value: FieldValue) -> _Strings:
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Mapping):
        return tuple(str(key) for key in value)
    if isinstance(value, (list, tuple)):
        return tuple(entry for entry in value if isinstance(entry, str))
    return ()


_OPERATORS: Mapping[str, Callable[[Marked], Condition]] = {
    "in": _in,
    "not_in": _not_in,
    "not": _not,
    "contains": _contains,
    "matches": _matches,
    "starts_with": _starts_with,
    "greater_than": _greater_than,
    "exists": _exists,
}
