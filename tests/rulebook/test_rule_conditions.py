from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.rulebook.condition import Missing, condition
from keepwall.rulebook.match import clauses, field_of
from keepwall.rulebook.source import parse
from keepwall.vocabulary.fact import Fact

MISSING = Missing.MISSING


@pytest.mark.parametrize(
    ("text", "value", "holds"),
    [
        ("true", True, True),
        ("true", 1, False),
        ("1", True, False),
        ("1", 1, True),
        ('""', "", True),
        ('""', MISSING, False),
        ("null", None, True),
        ("null", MISSING, False),
        ("[a, b]", ["a", "b"], True),
        ("[a, b]", ["b", "a"], False),
        ("{in: [a, 1]}", 1, True),
        ("{in: [a, 1]}", MISSING, False),
        ("{not_in: [a]}", "b", True),
        ("{not_in: [a]}", MISSING, True),
        ("{not: true}", None, True),
        ("{not: true}", MISSING, True),
        ("{not: true}", True, False),
        ("{not: {matches: x}}", "axa", False),
        ("{contains: shell}", ["code", "shell"], True),
        ("{contains: [shell, code]}", ["code"], True),
        ("{contains: [shell, code]}", ["file"], False),
        ("{contains: KEY}", {"KEY": None}, True),
        ("{contains: KEY}", "MY_KEY", True),
        ("{contains: KEY}", MISSING, False),
        ("{matches: '^--ip=1'}", ["lab", "--ip=10.0.0.1"], True),
        ("{matches: '--ip 1'}", ["lab", "--ip", "10.0.0.1"], True),
        ("{matches: '^--ip 1'}", ["lab", "--ip", "10.0.0.1"], False),
        ("{matches: .}", 7, False),
        ("{starts_with: [a, b]}", "bar", True),
        ("{starts_with: a}", ["x", "ab"], True),
        ("{starts_with: a}", MISSING, False),
        ("{greater_than: 3}", 4, True),
        ("{greater_than: 3}", 3, False),
        ("{greater_than: 3}", True, False),
        ("{greater_than: 3}", "4", False),
        ("{exists: false}", MISSING, True),
        ("{exists: false}", None, False),
        ("{exists: true}", None, True),
        ("{starts_with: a, not: ab}", "ac", True),
        ("{starts_with: a, not: ab}", "ab", False),
    ],
)
def test_a_condition_holds_or_not(text: str, value: object, *, holds: bool):
    assert condition(parse(text, "c"))(value) is holds


def test_fields_reach_into_mappings_and_lists():
    value = {"arguments": {"0": "a", "list": [{"x": 1}]}}
    assert field_of(value, "arguments.0") == "a"
    assert field_of(value, "arguments.list.0.x") == 1
    assert field_of(value, "arguments.list.1.x") is MISSING
    assert field_of(value, "arguments.0.x") is MISSING


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


@given(json_values)
def test_not_is_the_opposite_whatever_the_value(value: object):
    for text in ("true", "{in: [a]}", "{contains: a}", "{matches: a}", "{greater_than: 1}"):
        plain = condition(parse(text, "c"))(value)
        assert condition(parse(f"{{not: {text}}}", "c"))(value) is not plain


@pytest.mark.parametrize(
    ("where", "value", "holds"),
    [
        ("{instruction: RUN, value: x}", {"instruction": "RUN", "value": "x"}, True),
        ("{instruction: RUN, value: x}", {"instruction": "RUN", "value": "y"}, False),
        ("{any: [{value: x}, {value: y}]}", {"value": "y"}, True),
        ("{any: [{value: x}, {value: y}]}", {"value": "z"}, False),
        ("{all: [{value: {contains: x}}, {value: {contains: y}}]}", {"value": "xy"}, True),
        ("{all: [{value: {contains: x}}, {value: {contains: y}}]}", {"value": "x"}, False),
        ("{none: [{value: x}, {value: y}]}", {"value": "z"}, True),
        ("{none: [{value: x}, {value: y}]}", {"value": "x"}, False),
    ],
)
def test_groups_of_blocks(where: str, value: dict[str, str], *, holds: bool):
    (clause,) = clauses(parse(f"{{fact: dockerfile.instruction, where: {where}}}", "c"))
    assert clause.holds_for_fact(Fact("dockerfile.instruction", "image:x", value)) is holds
