"""String values of Sigma: wildcards become the cheapest test that means the same."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from enum import StrEnum
from typing import cast

from sigma.types import SigmaCasedString, SigmaString, SpecialChars

from keepwall.detect.fields import Field, Reader, Record
from keepwall.formats.sigma import compile_pattern

Test = Callable[[Record], bool]


class Shape(StrEnum):
    """Where the one literal of a pattern stands; a `glob` has several literals or a ``?``."""

    EMPTY = "empty"
    ANY = "any"
    EXACT = "exact"
    PREFIX = "prefix"
    SUFFIX = "suffix"
    INSIDE = "inside"
    GLOB = "glob"


def string_tests(field: Field, values: Iterable[SigmaString]) -> list[Test]:
    """Return tests of which one holds exactly if `field` matches one of `values`.

    Values of one shape share a test. Strings compare without regard to case, unless the value is
    ``cased``. A field that an event does not have matches the empty string and nothing else.
    """
    groups: dict[tuple[bool, Shape], list[str]] = {}
    for value in values:
        cased = isinstance(value, SigmaCasedString)
        shape, literal = _shape(value, (lambda text: text) if cased else str.casefold)
        groups.setdefault((cased, shape), []).append(literal)
    return [
        _test(shape, field.text if cased else field.folded, literals)
        for (cased, shape), literals in groups.items()
    ]


def _shape(value: SigmaString, fold: Callable[[str], str]) -> tuple[Shape, str]:
    """Return the shape of a value, with its literal (a pattern for RE2 if it is a glob)."""
    many = SpecialChars.WILDCARD_MULTI
    parts: list[object] = []
    for part in value.s:
        if part is not many or parts[-1:] != [many]:
            parts.append(part)
    literals = [fold(part) for part in parts if isinstance(part, str)]
    mask = [part if isinstance(part, SpecialChars) else None for part in parts]
    shapes = {
        (): Shape.EMPTY,
        (many,): Shape.ANY,
        (None,): Shape.EXACT,
        (None, many): Shape.PREFIX,
        (many, None): Shape.SUFFIX,
        (many, None, many): Shape.INSIDE,
    }
    if shape := shapes.get(tuple(mask)):
        return shape, "".join(literals)
    wild = {many: ".*", SpecialChars.WILDCARD_SINGLE: "."}
    return Shape.GLOB, "".join(
        re.escape(fold(part)) if isinstance(part, str) else wild[cast("SpecialChars", part)]
        for part in parts
    )


def _test(shape: Shape, read: Reader, literals: list[str]) -> Test:
    options = tuple(dict.fromkeys(literals))
    if shape is Shape.EMPTY:
        return lambda record: not record[read]
    if shape is Shape.ANY:
        return lambda record: bool(record[read])
    if shape is Shape.EXACT:
        exact = frozenset(options)
        return lambda record: record[read] in exact
    if shape is Shape.PREFIX:
        return lambda record: record[read].startswith(options)
    if shape is Shape.SUFFIX:
        return lambda record: record[read].endswith(options)
    if shape is Shape.INSIDE:
        return lambda record: any(option in record[read] for option in options)
    whole = compile_pattern(f"(?s:{'|'.join(options)})").fullmatch
    return lambda record: whole(record[read]) is not None
