"""What the rules ask about: never less than what they match."""

from __future__ import annotations

from pathlib import Path

from keepwall.assess.engine import assess
from keepwall.discover.tree import How, discover_tree
from keepwall.rulebook.book import Rulebook
from keepwall.rulebook.interest import asked, calls_asked_about
from keepwall.vocabulary.fact import FACT_KINDS


def test_calls_that_no_rule_names_are_not_asked_about():
    matters = calls_asked_about()
    assert not matters({"function": "torch.zeros", "arguments": {"0": 3}})
    assert matters({"function": "torch.load", "arguments": {"0": None}})
    assert matters({"function": "anything.at_all", "arguments": {"trust_remote_code": True}})
    assert matters({"function": None})


def test_all_calls_of_all_examples_that_fail_are_asked_about(tmp_path: Path):
    """A rule finds the same in what was asked about as in everything."""
    book = Rulebook.load()
    for rule in book.rules:
        for number, example in enumerate(rule.failing):
            if not example.files:
                continue
            root = tmp_path / rule.id / str(number)
            for name, text in example.files.items():
                file = root / name
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_text(text)
            everything = assess(discover_tree(root), book)
            assert assess(discover_tree(root, How(asked=calls_asked_about)), book) == everything


def test_a_kind_that_no_rule_reads_is_never_asked_about():
    read = {
        kind
        for rule in Rulebook.load().rules
        for clause in rule.match
        for kind in (clause.fact, *(each.fact for each in (*clause.demanded, *clause.unless)))
    }
    for kind in FACT_KINDS.keys() - read:
        assert not asked(Rulebook.load(), kind, "name")({"name": "x"})
