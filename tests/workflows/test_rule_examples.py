from __future__ import annotations

from pathlib import Path

from keepwall.rulebook.loader import rule_from
from keepwall.rulebook.source import parse
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.scan import Inventory
from keepwall.workflows import rule_test

RULE = """\
id: KW-REG-900
title: t
severity: high
surface: registry
why: w
fix: f
message: "{function}"
match: {fact: code.call, where: {function: bad}}
examples:
  failing:
    - files: {deep/er/a.py: bad}
  passing:
    - files: {a.py: good}
"""


def words(root: Path) -> Inventory:
    """A discovery so small that it can be seen through: every file is the name of a call."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    facts = tuple(
        Fact("code.call", "project:x", {"function": path.read_text()}, path.name, 1)
        for path in files
    )
    unread = tuple(Unread(path.name, "secret") for path in files if "unread" in path.read_text())
    return Inventory((), (), facts, unread)


def problems(text: str) -> list[tuple[str, str]]:
    rule = rule_from(parse(text, "r.yaml"))
    return [(each.place, each.message) for each in rule_test.test_rule(rule, words)]


def test_a_rule_that_keeps_its_promises_has_no_problem():
    assert problems(RULE) == []


def test_a_failing_example_that_does_not_fail_is_told_with_its_line():
    message = "the failing example does not raise the rule"
    assert problems(RULE.replace("a.py: bad", "a.py: fine")) == [("r.yaml:11", message)]


def test_a_passing_example_that_fails_is_told_with_its_line():
    message = "the passing example raises the rule"
    assert problems(RULE.replace("a.py: good", "a.py: bad")) == [("r.yaml:13", message)]


def test_an_example_that_is_not_read_proves_nothing():
    text = RULE.replace("a.py: good", "a.py: unread")
    assert problems(text) == [("r.yaml:13", "a.py is not read: secret")]


def test_an_example_in_which_nothing_is_found_proves_nothing():
    def blind(root: Path) -> Inventory:
        return words(root) if (root / "deep").exists() else Inventory((), (), (), ())

    found = rule_test.test_rule(rule_from(parse(RULE, "r.yaml")), blind)
    assert [each.message for each in found] == ["nothing is found in the example"]
