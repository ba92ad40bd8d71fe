from __future__ import annotations

import time
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sigma.conditions import ConditionAND, ConditionNOT, ConditionOR

from keepwall.formats.sigma import (
    MAX_BYTES,
    MAX_CONDITION,
    MAX_PATTERN,
    LinearRegex,
    compile_pattern,
    read_sigma,
)
from keepwall.vocabulary.errors import RuleError
from keepwall.vocabulary.surface import Severity

RULE = """\
title: Key read
id: 0b7c2f0a-1111-4222-8333-944455556666
description: >-
  Somebody read
  a key.
date: 2026-11-22
tags: [attack.t1552.004, tlp.clear]
logsource:
  category: file_access
  product: keepwall
detection:
  key:
    TargetFilename|endswith: .pem
    User: ana
  other:
    TargetFilename|re: ^/etc/
  condition: key and not other
level: medium
keepwall: {surface: data, response: alert}
"""


def refusal(text: str | bytes) -> RuleError:
    with pytest.raises(RuleError) as caught:
        read_sigma(text if isinstance(text, bytes) else text.encode(), "a/rule.yml")
    return caught.value


def test_a_rule() -> None:
    rule = read_sigma(RULE.encode(), "a/rule.yml")
    assert rule.id == UUID("0b7c2f0a-1111-4222-8333-944455556666")
    assert (rule.title, rule.description) == ("Key read", "Somebody read a key.")
    assert rule.level is Severity.MEDIUM
    assert rule.tags == ("attack.t1552.004", "tlp.clear")
    assert (rule.category, rule.product) == ("file_access", "keepwall")
    assert rule.attributes == {"surface": "data", "response": "alert"}
    assert isinstance(rule.condition, ConditionAND)
    assert [type(part) for part in rule.condition.args] == [ConditionAND, ConditionNOT]
    assert rule.error("x", at="level").place == "a/rule.yml:18"
    assert rule.error("x", at="field User").place == "a/rule.yml:14"
    assert rule.error("x", at="nowhere").place == "a/rule.yml:1"


@pytest.mark.parametrize(
    ("written", "level"),
    [("informational", Severity.INFO), ("low", Severity.LOW), ("critical", Severity.CRITICAL)],
)
def test_levels(written: str, level: Severity) -> None:
    text = RULE.replace("level: medium", f"level: {written}")
    assert read_sigma(text.encode(), "r").level is level


def test_a_list_of_conditions_is_an_or() -> None:
    text = RULE.replace("key and not other", "[key, other]")
    assert isinstance(read_sigma(text.encode(), "r").condition, ConditionOR)


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        ("id: 0b7c2f0a-1111-4222-8333-944455556666\n", "", "id (a UUID) missing", 1),
        ("id: 0b7c2f0a-1111-4222-8333-944455556666", "id: KW-1", "must be an UUID", 2),
        ("id: 0b7c2f0a-1111-4222-8333-944455556666", "id: 5", "not a Sigma rule", 1),
        ("level: medium\n", "", "level missing", 1),
        ("level: medium", "level: loud", "not a valid Sigma rule level", 18),
        ("title: Key read\n", "", "must have a title", 1),
        ("title: Key read", "title: [1]", "title must be a string", 1),
        ("date: 2026-11-22", "date: soon", "is invalid, use yyyy-mm-dd", 6),
        ("tlp.clear", "clear", "tag must start with namespace", 7),
        ("  category: file_access\n  product: keepwall\n", "  x: 1\n", "can't be empty", 8),
        ("  product: keepwall", "  service: auditd", "category and product only", 8),
        ("detection:", "detections:", "`detection` is missing", 1),
        ("|endswith: .pem", "|wide: .pem", "the modifier 'wide' is not evaluated", 13),
        ("|endswith: .pem", "|fieldref: User", "the modifier 'fieldref'", 13),
        ("|endswith: .pem", "|near: .pem", "the modifier 'near'", 13),
        ("|endswith: .pem", ": []", "a list without values", 13),
        ("|endswith: .pem", "|cidr: 10.0.0.1/8", "Invalid CIDR", 13),
        ("|endswith: .pem", "|gt: many", "incompatible to value type", 13),
        ("|endswith: .pem", ": {a: {b: c}}", "Unsupported type", 13),
        ("^/etc/", "(", "is invalid", 16),
        ("^/etc/", "(?=x)", "is invalid", 16),
        ("^/etc/", "a{1000}{1000}", "is invalid", 16),
        ("^/etc/", "5", "a pattern is a text", 16),
        ("    User: ana", "    User: ana\n    User: eve", "'User' is there twice", 15),
        ("key and not other", "key and not others", "'others' not defined", 17),
        ("key and not other", "key and", "does not parse", 17),
        ("key and not other", "1 of nothing*", "doesn't match any detection", 17),
        ("key and not other", "key | count() > 5", "does not parse", 17),
        ("key and not other", "5", "`condition` is a text", 17),
        ("  condition: key and not other\n", "", "`condition` is a text", 12),
        ("  condition", "  timeframe: 5m\n  condition", "`timeframe` is not evaluated", 17),
        ("title: Key read", "correlation: {}", "`correlation` is not evaluated", 1),
        ("title: Key read", "title: [", "not YAML", 3),
        ("title: Key read", "title: a\n---\ntitle: b", "more than 1 documents", 1),
    ],
)
def test_refusals_name_the_line(old: str, new: str, message: str, line: int) -> None:
    assert old in RULE
    error = refusal(RULE.replace(old, new, 1))
    assert message in error.message
    assert error.place == f"a/rule.yml:{line}"


@pytest.mark.parametrize("data", [b"", b"[]", b"x", b"\xff", b"a: \x00", b"- " * 40])
def test_what_is_no_rule_at_all(data: bytes) -> None:
    assert refusal(data).place.startswith("a/rule.yml:")


BOMB = "a: &a [x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 8)}]\n" for n in range(9)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BOMB + RULE, "more than 2000 values"),
        (RULE.replace("ana", "[" * 40 + "]" * 40), "nested deeper"),
        (RULE + "#" * MAX_BYTES, "at most"),
        (RULE.replace("ana", "[" + ", ".join(["x"] * 3_000) + "]"), "more than 2000 values"),
        (RULE.replace("key and not other", "not " * MAX_CONDITION + "key"), "a condition has"),
        (RULE.replace("key and not other", "(" * 13 + "key" + ")" * 13), "a condition has"),
        (RULE.replace("^/etc/", "x" * (MAX_PATTERN + 1)), "patterns of"),
        (RULE.replace("^/etc/", "[" + ", ".join(["x"] * 51) + "]"), "at most 50 patterns"),
    ],
    ids=["aliases", "depth", "bytes", "values", "condition", "parentheses", "pattern", "patterns"],
)
def test_bombs_are_refused_at_once(text: str, message: str) -> None:
    started = time.process_time()
    assert message in refusal(text).message
    assert time.process_time() - started < 2


def test_the_largest_condition_stays_cheap() -> None:
    condition = " or ".join(["1 of t*"] * 45)
    many = "".join(f"  t{number}: {{User: [a, b, c, d, e, f, g, h]}}\n" for number in range(90))
    text = RULE.replace("  key:\n", many + "  key:\n").replace("key and not other", condition)
    started = time.process_time()
    read_sigma(text.encode(), "r")
    assert time.process_time() - started < 10


def test_a_catastrophic_pattern_is_matched_in_linear_time() -> None:
    pattern = compile_pattern("^(a+)+(b|a*)*c$")
    started = time.process_time()
    assert pattern.search("a" * 200_000) is None
    assert time.process_time() - started < 2


def test_a_refused_pattern_writes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(LinearRegex().error):
        LinearRegex().compile("(?=x)")
    assert capfd.readouterr() == ("", "")


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_damaged_rule_is_read_or_refused(data: st.DataObject) -> None:
    raw = bytearray(RULE.encode())
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(raw) - 1))
        end = place + data.draw(st.integers(0, 12))
        raw[place:end] = data.draw(st.binary(max_size=6) | st.sampled_from(_PIECES))
    try:
        rule = read_sigma(bytes(raw), "a/rule.yml")
    except RuleError as error:
        assert error.place.startswith("a/rule.yml:")  # noqa: PT017 - either outcome is right
    else:
        assert isinstance(rule.id, UUID)


_PIECES = [b"[]", b"{}", b"null", b"5", b"|re", b"|all", b": ", b"\n", b"  ", b"- ", b"*", b"true"]
