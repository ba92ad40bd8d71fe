"""Turns pySigma's condition tree into closures over a record: parsed once, matched often."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
)
from sigma.exceptions import SigmaError
from sigma.types import (
    CompareOperators,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SigmaType,
)

from keepwall.detect.fields import Field, Kind, Record
from keepwall.detect.strings import Test, string_tests
from keepwall.formats.sigma import SigmaDocument, compile_pattern

_COMPARE: Mapping[CompareOperators, Callable[[int, float], bool]] = {
    CompareOperators.LT: operator.lt,
    CompareOperators.LTE: operator.le,
    CompareOperators.GT: operator.gt,
    CompareOperators.GTE: operator.ge,
}
_Leaf = ConditionFieldEqualsValueExpression


def compile_condition(document: SigmaDocument, fields: Mapping[str, Field]) -> Test:
    """Return a test of records that holds exactly when the condition of `document` does.

    A field that the event does not have is null: ``null`` and ``exists: false`` hold, everything
    else does not.

    Raises:
        RuleError: the condition names a field that its category does not have, compares a field
            with what it cannot be, or looks for a value without naming a field.
    """
    return _Compiler(document, fields).test(document.condition)


class _Compiler:
    """Walks one tree; keeps the document for its errors."""

    def __init__(self, document: SigmaDocument, fields: Mapping[str, Field]) -> None:
        self._document = document
        self._fields = fields

    def test(self, node: object) -> Test:
        if isinstance(node, ConditionAND):
            return _all([self.test(child) for child in node.args])
        if isinstance(node, ConditionOR):
            return _any(list(self._options(node.args)))
        if isinstance(node, ConditionNOT):
            inner = self.test(node.args[0])
            return lambda record: not inner(record)
        if isinstance(node, _Leaf):
            return self._leaf(node)
        raise self._document.error(
            "a value is looked for without a field", at="detection", hint="write `Field: value`"
        )

    def _options(self, nodes: Sequence[object]) -> Iterator[Test]:
        """Yield the tests of an OR; strings for one field become few tests."""
        strings: dict[str, list[SigmaString]] = {}
        for node in nodes:
            if isinstance(node, _Leaf) and isinstance(node.value, SigmaString):
                strings.setdefault(node.field, []).append(node.value)
            else:
                yield self.test(node)
        for name, values in strings.items():
            yield from self._strings(name, values)

    def _strings(self, name: str, values: list[SigmaString]) -> list[Test]:
        field = self._field(name)
        try:
            return string_tests(field, values)
        except SigmaError as error:
            raise self._document.error(str(error), at=f"field {name}") from error

    def _field(self, name: str) -> Field:
        if name not in self._fields:
            raise self._document.error(
                f"events of {self._document.category} have no field {name!r}",
                at=f"field {name}",
                hint=f"known: {', '.join(sorted(self._fields))}",
            )
        return self._fields[name]

    def _leaf(self, node: _Leaf) -> Test:
        value = node.value
        if isinstance(value, SigmaString):
            return _any(self._strings(node.field, [value]))
        try:
            test = _value_test(self._field(node.field), value)
        except SigmaError as error:
            raise self._document.error(str(error), at=f"field {node.field}") from error
        if test is None:
            raise self._document.error(
                f"{node.field} is never {type(value).__name__.removeprefix('Sigma')}",
                at=f"field {node.field}",
            )
        return test


def _value_test(field: Field, value: SigmaType) -> Test | None:
    """Return the test of one value that is no string, or None if the field cannot be such."""
    read, text = field.value, field.text
    if isinstance(value, SigmaExists):
        return (lambda record: record[text] != "") if value else (lambda record: record[text] == "")
    if isinstance(value, SigmaNull):
        return lambda record: record[text] == ""
    if isinstance(value, SigmaRegularExpression):
        search = compile_pattern(str(value.regexp), value.flags).search
        return lambda record: record[text] != "" and search(record[text]) is not None
    if isinstance(value, SigmaNumber):
        if field.kind is Kind.NUMBER:
            number = value.number
            return lambda record: record[read] == number
        written = str(value.number)
        return lambda record: record[text] == written
    if isinstance(value, SigmaCIDRExpression) and field.kind is Kind.ADDRESS:
        network = value.network
        return lambda record: record[read] is not None and record[read] in network
    if isinstance(value, SigmaCompareExpression) and field.kind is Kind.NUMBER:
        compare, bound = _COMPARE[value.op], value.number.number
        return lambda record: record[read] is not None and compare(record[read], bound)
    return None


def _all(tests: Iterable[Test]) -> Test:
    first, *rest = tests
    if not rest:
        return first
    ordered = (first, *rest)

    def holds(record: Record) -> bool:
        for test in ordered:  # noqa: SIM110 - a generator would double the cost of a miss
            if not test(record):
                return False
        return True

    return holds


def _any(tests: Iterable[Test]) -> Test:
    first, *rest = tests
    if not rest:
        return first
    ordered = (first, *rest)

    def holds(record: Record) -> bool:
        for test in ordered:  # noqa: SIM110 - a generator would double the cost of a miss
            if test(record):
                return True
        return False

    return holds
