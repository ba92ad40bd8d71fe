"""Repairs in rule files: refused with their place where they are wrong."""

from __future__ import annotations

import pytest
from rule_texts import RULE

from keepwall.rulebook.loader import rule_from
from keepwall.rulebook.source import parse
from keepwall.vocabulary.errors import RuleError

GOOD = "repair:\n  - {files: [.py], replace: 'a(b)', with: '\\1'}\n"


def test_a_repair_is_read_as_it_was_written():
    (repair,) = rule_from(parse(RULE + GOOD, "r.yaml")).repairs
    assert (repair.suffixes, repair.replacement, repair.anywhere) == ((".py",), "\\1", False)
    assert repair.pattern.sub(repair.replacement, "xaby") == "xby"
    assert rule_from(parse(RULE, "r.yaml")).repairs == ()


@pytest.mark.parametrize(
    ("repair", "message"),
    [
        ("repair: []", "at least one entry"),
        ("repair:\n  - {files: [.py], replace: a}", "with missing"),
        ("repair:\n  - {files: [.py], replace: '(', with: b}", "not a regular expression"),
        ("repair:\n  - {files: [.py], replace: a, with: '\\1'}", "does not fit its pattern"),
        ("repair:\n  - {files: [.py], replace: a, with: '{locked}'}", "group called package"),
        ("repair:\n  - {files: [.py], replace: a, with: b, anywhere: 1}", "true or false"),
        ("repair:\n  - {files: [.py], replace: a, with: b, run: rm}", "unknown key 'run'"),
        (f"repair:\n  - {{files: [.py], replace: {'a' * 700}, with: b}}", "at most 600"),
    ],
)
def test_a_repair_that_is_none_is_refused(repair: str, message: str):
    with pytest.raises(RuleError, match=message) as caught:
        rule_from(parse(f"{RULE}{repair}\n", "r.yaml"))
    assert caught.value.place.startswith("r.yaml:")
