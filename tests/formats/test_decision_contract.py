"""Decisions and outcomes from outside: what is wrong is refused, by the schema and the reader alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from keepwall.formats.schemas import CONTRACTS, decode_contract, schema
from keepwall.vocabulary.decision import Effect, Outcome, Plane, Strength, Tier
from keepwall.vocabulary.errors import FormatError

GOLDEN = Path(__file__).parents[1] / "golden/contracts"
GONE = object()

WRONG = [
    ("decision", "id", GONE),
    ("decision", "id", None),
    ("decision", "id", 7),
    ("decision", "effect", GONE),
    ("decision", "effect", "permit"),
    ("decision", "effect", "DENY"),
    ("decision", "effect", ""),
    ("decision", "effect", ["deny"]),
    ("decision", "reason", GONE),
    ("decision", "subject", {"spiffe": "spiffe://a/b"}),
    ("decision", "action", GONE),
    ("decision", "resource", None),
    ("decision", "at", GONE),
    ("decision", "at", 1772368215),
    ("decision", "policies", "claims-agent"),
    ("decision", "policies", [1]),
    ("decision", "policies", None),
    ("decision", "obligations", ["log"]),
    ("decision", "revision", "7"),
    ("decision", "revision", 1.5),
    ("decision", "revision", None),
    ("rule-outcome", "rule", GONE),
    ("rule-outcome", "plane", "kernel"),
    ("rule-outcome", "plane", GONE),
    ("rule-outcome", "tier", "magic"),
    ("rule-outcome", "strength", "unbreakable"),
    ("rule-outcome", "strength", "Prevented"),
    ("rule-outcome", "strength", 3),
    ("rule-outcome", "strength", GONE),
    ("rule-outcome", "why", 1),
    ("plane-status", "generation", "3"),
    ("plane-status", "strength", GONE),
    ("plane-status", "detail", {"tier": 1}),
    ("registration", "spiffe", GONE),
    ("registration", "selectors", ["unix:user"]),
    ("registration", "selectors", {"unix:uid": 0}),
    ("registration", "owner", None),
]


def changed(name: str, field: str, value: Any) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_bytes())
    assert field in document
    if value is GONE:
        del document[field]
    else:
        document[field] = value
    return document


@pytest.mark.parametrize(("name", "field", "value"), WRONG)
def test_a_wrong_document_is_refused_by_schema_and_reader(name: str, field: str, value: Any):
    document = changed(name, field, value)
    assert not jsonschema.Draft202012Validator(schema(name)).is_valid(document)
    with pytest.raises(FormatError) as caught:
        decode_contract(CONTRACTS[name], json.dumps(document).encode())
    assert field in caught.value.message, "the message names the field"


@pytest.mark.parametrize(
    "at", ["yesterday", "2026-03-01", "2026-03-01T12:30:15", "2026-13-01T12:30:15Z", ""]
)
def test_a_decision_says_when_beyond_doubt(at: str):
    with pytest.raises(FormatError, match="at"):
        decode_contract(CONTRACTS["decision"], json.dumps(changed("decision", "at", at)).encode())


def test_the_weakest_is_the_least():
    """What compares strengths goes by rank: text would put prevented between killed-late and seen."""
    weakest_first = [Strength.BLIND, Strength.SEEN_ONLY, Strength.KILLED_LATE, Strength.PREVENTED]
    assert sorted(Strength, key=lambda each: each.rank) == weakest_first
    assert [each.rank for each in weakest_first] == [0, 1, 2, 3]
    assert sorted(Strength) != weakest_first


@pytest.mark.parametrize("strength", Strength)
@pytest.mark.parametrize("effect", Effect)
def test_every_effect_and_strength_stands_in_its_schema(effect: Effect, strength: Strength):
    for name, field, value in (
        ("decision", "effect", effect),
        ("rule-outcome", "strength", strength),
    ):
        document = changed(name, field, value.value)
        jsonschema.Draft202012Validator(schema(name)).validate(document)
        found = decode_contract(CONTRACTS[name], json.dumps(document).encode())
        assert getattr(found, field) is value


def test_an_outcome_is_a_value():
    one = Outcome("d-1", Plane.RUNTIME, Tier.LANDLOCK, Strength.PREVENTED)
    assert one == Outcome("d-1", Plane.RUNTIME, Tier.LANDLOCK, Strength.PREVENTED)
    assert hash(one) == hash(Outcome("d-1", Plane.RUNTIME, Tier.LANDLOCK, Strength.PREVENTED))
    with pytest.raises(AttributeError):
        one.strength = Strength.BLIND  # type: ignore[misc]
