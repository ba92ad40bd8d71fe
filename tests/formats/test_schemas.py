"""The published schemas are what the code generates, and the golden documents keep to them."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from referencing import Registry

from keepwall.formats.json_text import encode_json
from keepwall.formats.schemas import BASE, CONTRACTS, NAMES, decode_contract, schema
from keepwall.vocabulary.errors import ConfigError, FormatError
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.incident import Containment
from keepwall.vocabulary.scan import ScanResult

ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden" / "contracts"

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
moments = st.datetimes(datetime(1970, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


def validator(name: str) -> jsonschema.Draft202012Validator:
    document = schema(name)
    jsonschema.Draft202012Validator.check_schema(document)
    return jsonschema.Draft202012Validator(
        document, registry=Registry(), format_checker=jsonschema.FormatChecker()
    )


def strategy(contract: type) -> st.SearchStrategy[Any]:
    """Any value of a contract; JSON values and moments have to be told."""
    hints = get_type_hints(contract, localns={"JsonValue": Any})
    known = {
        each.name: st.dictionaries(st.text(), json_values, max_size=3)
        if "JsonValue" in str(each.type)
        else moments
        if hints[each.name] is datetime
        else st.none() | moments
        for each in fields(contract)
        if "JsonValue" in str(each.type) or "datetime" in str(each.type)
    }
    return st.builds(contract, **known)


@pytest.mark.parametrize("name", NAMES)
def test_published_file_is_up_to_date(name: str) -> None:
    published = ROOT / "schemas" / f"{name}.json"
    assert published.read_bytes() == encode_json(schema(name)), f"regenerate {published}"


def test_no_file_is_left_over() -> None:
    assert {each.stem for each in (ROOT / "schemas").glob("*.json")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_golden_document_keeps_to_its_schema(name: str) -> None:
    validator(name).validate(json.loads((GOLDEN / f"{name}.json").read_bytes()))


@pytest.mark.parametrize("name", NAMES)
def test_schema_refuses_a_document_without_a_required_field(name: str) -> None:
    check = validator(name)
    document = json.loads((GOLDEN / f"{name}.json").read_bytes())
    for field in check.schema["required"]:
        less = {key: value for key, value in document.items() if key != field}
        assert not check.is_valid(less), field
    assert check.schema["$id"] == f"{BASE}{name}.json"


@pytest.mark.parametrize("name", CONTRACTS)
def test_golden_document_round_trips(name: str) -> None:
    data = (GOLDEN / f"{name}.json").read_bytes()
    assert encode_json(decode_contract(CONTRACTS[name], data)) == data


@pytest.mark.parametrize("name", sorted(set(CONTRACTS) - {"scan-result"}))
def test_any_value_round_trips_and_keeps_to_its_schema(name: str) -> None:
    check = validator(name)

    @settings(max_examples=40, deadline=None)
    @given(strategy(CONTRACTS[name]))
    def holds(value: Any) -> None:
        data = encode_json(value)
        assert encode_json(decode_contract(CONTRACTS[name], data)) == data
        check.validate(json.loads(data))

    holds()


def test_times_must_carry_a_zone() -> None:
    document = json.loads((GOLDEN / "containment.json").read_bytes())
    document["at"] = "2026-03-01T12:30:15"
    with pytest.raises(FormatError, match="Containment"):
        decode_contract(Containment, json.dumps(document).encode())


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[]", b"null", b"\xff\xfe", b'{"rule": 1}', b"[" * 100_000, b'{"a":' * 5000],
)
def test_hostile_documents_are_refused(data: bytes) -> None:
    for contract in (Finding, ScanResult):
        with pytest.raises(FormatError):
            decode_contract(contract, data)


def test_deep_values_are_refused_not_crashed() -> None:
    document = json.loads((GOLDEN / "evidence.json").read_bytes())
    text = json.dumps(document).replace('"/bin/sh"', "[" * 50_000 + "]" * 50_000)
    with pytest.raises(FormatError):
        decode_contract(CONTRACTS["evidence"], text.encode())


def test_unknown_schema() -> None:
    with pytest.raises(ConfigError, match="no schema 'nonsense'"):
        schema("nonsense")
