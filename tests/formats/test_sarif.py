"""SARIF 2.1.0: what readers rely on. (No SARIF reader is among the test dependencies yet.)"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest

from keepwall.formats.sarif import encode_sarif, relative_uri
from keepwall.formats.scan_json import decode_scan
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.scan import ScanResult

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def result() -> ScanResult:
    return decode_scan((GOLDEN / "contracts" / "scan-result.json").read_bytes())


def run_of(data: bytes) -> dict[str, Any]:
    document = json.loads(data)
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    assert isinstance(run, dict)
    return run


def test_golden(result: ScanResult) -> None:
    assert encode_sarif(result) == (GOLDEN / "scan.sarif").read_bytes()


def test_every_result_points_at_its_rule(result: ScanResult) -> None:
    run = run_of(encode_sarif(result))
    rules = run["tool"]["driver"]["rules"]
    assert [rules[each["ruleIndex"]]["id"] for each in run["results"]] == [
        each.rule for each in result.findings
    ]
    assert all(rule["help"]["text"] and rule["shortDescription"]["text"] for rule in rules)
    assert [each["level"] for each in run["results"]] == ["error", "error", "warning", "note"]


def test_fingerprints_and_baseline(result: ScanResult) -> None:
    known = result.findings[0].fingerprint
    results = run_of(encode_sarif(result, baseline={known}))["results"]
    assert [each["baselineState"] for each in results] == ["unchanged", "new", "new", "new"]
    assert results[0]["partialFingerprints"] == {"keepwall/v1": known}
    assert "baselineState" not in run_of(encode_sarif(result))["results"][0]


def test_unread_makes_the_run_unsuccessful(result: ScanResult) -> None:
    (invocation,) = run_of(encode_sarif(result))["invocations"]
    assert invocation["executionSuccessful"] is False
    assert "larger than 64 MiB" in invocation["toolExecutionNotifications"][0]["message"]["text"]
    (clean,) = run_of(encode_sarif(replace(result, unread=())))["invocations"]
    assert clean["executionSuccessful"] is True


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("a b/c#d.py", "a%20b/c%23d.py"),
        ("weird:name?.py", "weird%3Aname%3F.py"),
        ("/etc/hosts", "file:///etc/hosts"),
        ("\x1b[31m\n.py", "%1B%5B31m%0A.py"),
        ("ü.py", "%C3%BC.py"),
        ("..\\x", "..%5Cx"),
    ],
)
def test_uris(path: str, uri: str) -> None:
    assert relative_uri(path) == uri


def test_bytes_of_a_name_survive() -> None:
    raw = b"m\xf6del\xff.bin"
    assert unquote_to_bytes(relative_uri(os.fsdecode(raw))) == raw
    assert relative_uri("\ud800") == "%5Cud800"


def test_a_hostile_message_is_text(result: ScanResult) -> None:
    hostile = replace(
        result.findings[0],
        message="\x1b]0;pwned\x07 [click](https://evil.example)\nsecond line",
        location=Location("a.py", 0),
    )
    (found,) = run_of(encode_sarif(replace(result, findings=(hostile,))))["results"]
    text = found["message"]["text"]
    assert not any(ord(each) < 32 for each in text)
    assert "\\[click\\](" in text
    assert "region" not in found["locations"][0]["physicalLocation"]
