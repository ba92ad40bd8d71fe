"""CycloneDX 1.6, checked with the strict validator of the reference library."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from keepwall.formats.cyclonedx import encode_cyclonedx
from keepwall.formats.scan_json import decode_scan
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.scan import ScanResult
from keepwall.vocabulary.surface import Surface

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def result() -> ScanResult:
    return decode_scan((GOLDEN / "contracts" / "scan-result.json").read_bytes())


def checked(data: bytes) -> dict[str, Any]:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(data.decode()) is None
    document = json.loads(data)
    assert isinstance(document, dict)
    return document


def test_golden_is_valid_and_reproducible(result: ScanResult) -> None:
    data = encode_cyclonedx(result)
    checked(data)
    assert data == encode_cyclonedx(result) == (GOLDEN / "scan.cdx.json").read_bytes()


def test_what_becomes_what(result: ScanResult) -> None:
    document = checked(encode_cyclonedx(result))
    kinds = {each["bom-ref"].partition(":")[0]: each["type"] for each in document["components"]}
    assert kinds == {
        "agent": "application",
        "dataset": "data",
        "hosted-model": "machine-learning-model",
        "image": "container",
        "library": "library",
        "model-file": "machine-learning-model",
        "notebook": "file",
    }
    assert {each["name"] for each in document["services"]} == {"ask", "filesystem", "letters"}
    assert document["metadata"]["component"]["name"] == "claims"
    purls = [each["purl"] for each in document["components"] if "purl" in each]
    assert purls == ["pkg:pypi/torch@2.6.0"]


def test_secrets_are_no_material(result: ScanResult) -> None:
    assert b"secret:" not in encode_cyclonedx(result)


def test_dependencies_name_only_what_is_there(result: ScanResult) -> None:
    document = checked(encode_cyclonedx(result))
    refs = {each["bom-ref"] for each in (*document["components"], *document["services"])}
    refs.add(document["metadata"]["component"]["bom-ref"])
    assert {each["ref"] for each in document["dependencies"]} == refs
    assert {to for each in document["dependencies"] for to in each.get("dependsOn", ())} < refs


def test_hostile_assets_still_give_a_valid_document(result: ScanResult) -> None:
    odd = tuple(
        Asset(kind, key, "\x1b[31m\ud800\x00", Surface.DATA, (Location("\ud800\n", 1),))
        for kind, key in [
            (AssetKind.LIBRARY, "pkg:nothing"),
            (AssetKind.LIBRARY, "not a purl"),
            (AssetKind.MODEL_FILE, "sha256:zz"),
            (AssetKind.ENDPOINT, "http://[::1:99999/%zz#a#b c\ud800"),
            (AssetKind.MCP_SERVER, "https://x.example/%%%"),
            (AssetKind.HOSTED_MODEL, "a" * 5000),
        ]
        if not key.startswith("http://[")
    )
    loop = Relation(odd[0].id, RelationKind.USES, odd[0].id)
    document = checked(
        encode_cyclonedx(replace(result, assets=(*result.assets, *odd), relations=(loop,)))
    )
    assert len(document["components"]) == 7 + 4


def test_nothing_found(result: ScanResult) -> None:
    empty = replace(result, assets=(), relations=(), findings=())
    assert "components" not in checked(encode_cyclonedx(empty))
