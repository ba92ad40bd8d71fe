from __future__ import annotations

import random

import pytest

from keepwall.assess.engine import assess
from keepwall.assess.message import MAX_VALUE, render
from keepwall.content.detectors import catalogue
from keepwall.rulebook import Rulebook
from keepwall.rulebook.loader import rule_from
from keepwall.rulebook.source import parse
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.errors import RuleError
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.scan import Inventory
from keepwall.vocabulary.surface import Surface


def book(match: str, message: str = "{instruction}") -> Rulebook:
    text = f"""
id: KW-PIP-900
title: t
severity: low
surface: pipeline
why: w
fix: f
message: "{message}"
match: {match}
examples: {{failing: [{{assets: [{{kind: host, key: x, surface: data}}]}}],
           passing: [{{assets: [{{kind: host, key: x, surface: data}}]}}]}}
"""
    return Rulebook((rule_from(parse(text, "r.yaml")),))


def instruction(name: str, line: int, path: str = "Dockerfile", value: str = "") -> Fact:
    content = {"instruction": name, "value": value}
    return Fact("dockerfile.instruction", f"image:{path}", content, path, line)


def inventory(*facts: Fact, assets: tuple[Asset, ...] = ()) -> Inventory:
    return Inventory(assets, (), facts, ())


RUN = book("{fact: dockerfile.instruction, where: {instruction: RUN}}")


def test_fingerprints_survive_moved_lines_and_tell_equal_evidence_apart():
    before = assess(inventory(instruction("RUN", 3), instruction("RUN", 9)), RUN)
    after = assess(inventory(instruction("RUN", 14), instruction("RUN", 30)), RUN)
    assert [each.fingerprint for each in before] == [each.fingerprint for each in after]
    assert len({each.fingerprint for each in before}) == 2
    assert [each.location.line for each in after] == [14, 30]


def test_one_finding_per_rule_and_place():
    assert len(assess(inventory(instruction("RUN", 3), instruction("RUN", 3)), RUN)) == 1
    both = book("{any: [{fact: dockerfile.instruction}, {fact: dockerfile.instruction}]}")
    assert len(assess(inventory(instruction("RUN", 3)), both)) == 1


def test_places_without_lines_are_told_apart_by_their_evidence():
    facts = [
        Fact("container.spec", "workload:x", {"image": image}, "compose.yaml")
        for image in ("a:1", "b:1", "a:1")
    ]
    found = assess(inventory(*facts), book("{fact: container.spec}", "{image}"))
    assert [each.message for each in found].count("a:1") == 1
    assert {each.message for each in found} == {"a:1", "b:1"}


def test_the_order_of_facts_changes_nothing():
    facts = [instruction("RUN", line, path) for line in range(1, 9) for path in ("b", "a")]
    expected = assess(inventory(*facts), RUN)
    shuffled = random.Random(7)  # noqa: S311 - a fixed order, no secret
    for _ in range(5):
        shuffled.shuffle(facts)
        assert assess(inventory(*facts), RUN) == expected
    assert [each.location for each in expected] == sorted(each.location for each in expected)


@pytest.mark.parametrize("same", ["path", "asset"])
def test_an_exception_excuses_only_what_it_shares(same: str):
    rules = book(
        "{fact: dockerfile.instruction, where: {instruction: CMD}, unless: "
        f"[{{fact: dockerfile.instruction, same: {same}, where: {{instruction: USER}}}}]}}"
    )
    facts = (
        instruction("USER", 2, "safe"),
        instruction("CMD", 3, "safe"),
        instruction("CMD", 3, "bare"),
    )
    assert [each.location.path for each in assess(inventory(*facts), rules)] == ["bare"]


def test_a_demanded_fact_must_be_nearby():
    rules = book(
        "{fact: dockerfile.instruction, where: {instruction: CMD}, "
        "with: [{fact: dockerfile.instruction, same: path, where: {instruction: RUN}}]}"
    )
    facts = (instruction("RUN", 2, "a"), instruction("CMD", 3, "a"), instruction("CMD", 3, "b"))
    assert [each.location.path for each in assess(inventory(*facts), rules)] == ["a"]


def test_assets_are_judged_by_their_fields_and_exceptions():
    rules = book(
        "{asset: {kind: endpoint, where: {owner: '', attributes.tls: 'no'}}, "
        "unless: [{fact: container.spec, same: asset}]}",
        "{name} is {attributes.tls}",
    )
    place = (Location("b.yaml", 2), Location("a.yaml", 7))
    endpoint = Asset(
        AssetKind.ENDPOINT, "http://h:1/", "h", Surface.INFERENCE, place, attributes={"tls": "no"}
    )
    owned = Asset(AssetKind.ENDPOINT, "http://h:2/", "h", Surface.INFERENCE, place, owner="team")
    (finding,) = assess(inventory(assets=(endpoint, owned)), rules)
    assert (finding.asset, finding.message) == (endpoint.id, "h is no")
    assert finding.location == Location("a.yaml", 7)
    excuse = Fact("container.spec", endpoint.id)
    assert assess(inventory(excuse, assets=(endpoint,)), rules) == []


def test_asset_kinds_narrow_a_fact():
    rules = book("{fact: dockerfile.instruction, asset_kind: [notebook]}")
    assert assess(inventory(instruction("RUN", 1)), rules) == []


def test_messages_are_cut_masked_and_safe_to_print():
    key = next(each.positive[0] for each in catalogue().detectors if each.id == "github-token")
    shown = render("{value} {absent}", {"value": f"\x1b[31m{key} {'x' * 500}"})
    assert key not in shown
    assert "\x1b" not in shown
    assert shown.endswith("… ?")
    assert len(shown) == MAX_VALUE + 2


def test_ten_thousand_facts_with_exceptions_are_judged_in_linear_time():
    rules = book(
        "{fact: dockerfile.instruction, where: {instruction: RUN}, unless: "
        "[{fact: dockerfile.instruction, same: path, where: {instruction: USER}}]}"
    )
    facts = [instruction("RUN", line) for line in range(1, 10_001)]
    assert len(assess(inventory(*facts), rules)) == 10_000


def test_a_relation_excuses_the_asset_that_has_it():
    rules = book("{asset: {kind: agent}, no_relation: [calls]}", "{name}")
    first, second = (
        Asset(AssetKind.AGENT, f"a.py#{name}", name, Surface.AGENT, (Location("a.py", 1),))
        for name in ("first", "second")
    )
    edges = (
        Relation(first.id, RelationKind.CALLS, second.id),
        Relation(second.id, RelationKind.USES, first.id),
    )
    found = assess(Inventory((first, second), edges, (), ()), rules)
    assert [each.message for each in found] == ["second"]
    with pytest.raises(RuleError, match="unknown relation 'knows'"):
        book("{asset: {kind: agent}, no_relation: [knows]}", "{name}")
