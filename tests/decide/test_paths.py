from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.decide.paths import PathSet, base, covers, is_tree, overlap
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import PathRule

NAMES = st.sampled_from(["a", "b", "ab", "a.b", "**x"])
PLAIN = st.lists(NAMES, max_size=4).map(lambda parts: "/" + "/".join(parts))
RULES = st.tuples(PLAIN, st.booleans()).map(
    lambda pair: ("" if pair[0] == "/" else pair[0]) + "/**" if pair[1] else pair[0]
)


def means(rule: str, path: str) -> bool:
    """What a rule path means, written down as plainly as can be."""
    if not rule.endswith("/**"):
        return path == rule
    parts = [part for part in rule[:-3].split("/") if part]
    return [part for part in path.split("/") if part][: len(parts)] == parts


@pytest.mark.parametrize(
    ("rule", "path", "matches"),
    [
        ("/a/**", "/a", True),
        ("/a/**", "/a/b/c", True),
        ("/a/**", "/ab", False),
        ("/a", "/a/b", False),
        ("/**", "/", True),
        ("/**", "/x", True),
    ],
)
def test_what_a_rule_matches(rule: str, path: str, *, matches: bool):
    assert bool(PathSet.of([PathRule(rule)], str).match(path)) is matches


@given(st.lists(RULES, max_size=6), PLAIN)
def test_a_set_matches_what_one_of_its_rules_means(rules: list[str], path: str):
    found = PathSet.of([PathRule(rule) for rule in rules], str).match(path)
    assert bool(found) is any(means(rule, path) for rule in rules)
    if found:
        longest = max(len(base(rule)) for rule in rules if means(rule, path))
        assert len(base(found.path)) == longest  # the most specific one answers


@given(RULES, RULES, PLAIN)
def test_covering_and_overlap_agree_with_the_meaning(left: str, right: str, path: str):
    both = overlap(left, right)
    assert overlap(right, left) == both
    assert (bool(both) and means(both, path)) == (means(left, path) and means(right, path))
    if covers(left, right) and means(right, path):
        assert means(left, path)


@given(st.lists(RULES, max_size=6), PLAIN)
def test_what_lies_beneath_is_what_a_tree_would_enclose(rules: list[str], directory: str):
    found = {rule.path for rule in PathSet.of(map(PathRule, rules), str).beneath(directory)}
    assert found == {rule for rule in rules if means(directory.rstrip("/") + "/**", base(rule))}


def test_a_rule_counts_under_its_resolved_path_as_well():
    found = PathSet.of([PathRule("/link/x/**", Effect.AUDIT)], lambda path: "/real" + path[5:])
    assert found.match("/real/x/y").action is Effect.AUDIT
    assert found.match("/link/x/y")
    assert not found.match("/real/z")


def test_the_whole_tree_stays_the_whole_tree():
    found = PathSet.of([PathRule("/**")], posixpath.normpath)
    assert found.rules.keys() == {"/**"}
    assert is_tree("/**")
    assert base("/**") == "/"
    assert not PathSet().match("/")
    assert not PathSet()
