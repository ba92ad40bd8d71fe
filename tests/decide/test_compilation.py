from __future__ import annotations

import pytest

from keepwall.decide.compilation import Compilation
from keepwall.vocabulary.decision import Plane, RuleOutcome, Strength, Tier
from keepwall.vocabulary.envelope import Envelope
from keepwall.vocabulary.errors import ConfigError


def outcome(rule: str, strength: Strength) -> RuleOutcome:
    return RuleOutcome(rule, Plane.RUNTIME, Tier.NONE, strength, "because")


def compilation(*outcomes: RuleOutcome, minimum: Strength = Strength.PREVENTED) -> Compilation:
    envelope = Envelope("e", (Plane.RUNTIME,), minimum_strength=minimum, origin="e.yaml")
    return Compilation(envelope, outcomes)


def test_every_rule_below_the_minimum_is_named_with_the_way_to_accept_it():
    made = compilation(
        outcome("good", Strength.PREVENTED),
        outcome("late", Strength.KILLED_LATE),
        outcome("blind", Strength.BLIND),
    )
    with pytest.raises(ConfigError) as raised:
        made.require(["blind"])
    assert raised.value.place == "e.yaml"
    assert "late is killed-late (because)" in raised.value.message
    assert "blind is" not in raised.value.message
    assert raised.value.hint == "accept by name: --accept-weaker 'late'"
    made.require(["blind", "late"])


@pytest.mark.parametrize("minimum", Strength)
def test_what_is_weaker_follows_the_minimum(minimum: Strength):
    made = compilation(*(outcome(each, each) for each in Strength), minimum=minimum)
    assert {each.strength.rank for each in made.weaker()} == set(range(minimum.rank))


def test_the_whole_is_as_strong_as_its_weakest_rule():
    strong, weak = outcome("a", Strength.PREVENTED), outcome("b", Strength.SEEN_ONLY)
    assert compilation(strong, weak).strength is Strength.SEEN_ONLY
    assert compilation(strong).strength is Strength.PREVENTED
    assert compilation().strength is Strength.BLIND
