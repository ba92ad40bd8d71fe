"""Every built-in rule, on its own examples, through the real discovery."""

from __future__ import annotations

import re
import time
from collections import Counter

import pytest

from keepwall.rulebook import Rule, Rulebook
from keepwall.rulebook.condition import MAX_SUBJECT
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.surface import Surface
from keepwall.workflows import rule_test

RULES = Rulebook.load().rules


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_keeps_what_its_examples_promise(rule: Rule):
    assert rule_test.test_rule(rule) == []


def test_every_surface_has_rules():
    counts = Counter(rule.surface for rule in RULES)
    assert sum(counts.values()) >= 95
    assert all(counts[surface] >= 15 for surface in Surface)


def test_every_rule_is_mapped_and_reads_well():
    for rule in RULES:
        assert rule.mappings, rule.id
        assert len(rule.title) <= 80, rule.id
        assert rule.why.endswith("."), rule.id
        assert not re.search(r"[.!]$", rule.message), rule.id


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_hostile_values_do_not_stall_a_rule(rule: Rule):
    started = time.process_time()
    for unit in (
        "a",
        "curl ",
        "${{github.event.issue",
        "--host ",
        "ignore all ",
        " ",
        "/",
        "\\",
        ".",
    ):
        text = unit * (MAX_SUBJECT // len(unit))
        value = dict.fromkeys(
            ("function", "argv", "value", "run", "description", "ports", "image", "name", "url"),
            text,
        )
        for clause in rule.match:
            if clause.fact:
                clause.holds_for_fact(Fact(clause.fact, "project:x", value))
    assert time.process_time() - started < 2
