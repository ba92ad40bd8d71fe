"""JUnit XML, read back with the parser of the standard library."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest

from keepwall.formats.junit import encode_junit
from keepwall.formats.scan_json import decode_scan
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.scan import ScanResult
from keepwall.vocabulary.surface import Severity, Surface

GOLDEN = Path(__file__).parents[1] / "golden"


@pytest.fixture
def result() -> ScanResult:
    return decode_scan((GOLDEN / "contracts" / "scan-result.json").read_bytes())


def parsed(data: bytes) -> ET.Element:
    return ET.fromstring(data)  # noqa: S314 - what we wrote ourselves


def totals(root: ET.Element) -> list[int]:
    return [int(root.get(kind, "-1")) for kind in ("tests", "failures", "errors", "skipped")]


def test_golden(result: ScanResult) -> None:
    assert encode_junit(result) == (GOLDEN / "scan.junit.xml").read_bytes()


def test_one_suite_per_surface_and_one_for_unread(result: ScanResult) -> None:
    root = parsed(encode_junit(result))
    names = [suite.get("name") for suite in root]
    assert names == [*(f"keepwall.{each}" for each in Surface), "keepwall.unread"]
    assert totals(root) == [7, 2, 1, 0]


def test_totals_are_what_is_there(result: ScanResult) -> None:
    root = parsed(encode_junit(result))
    for suite in root:
        assert int(suite.get("tests", "")) == len(suite.findall("testcase"))
        assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure"))


def test_the_bar_and_the_baseline_decide(result: ScanResult) -> None:
    known = {result.findings[0].fingerprint}
    root = parsed(encode_junit(result, fail_on=Severity.LOW, baseline=known))
    assert totals(root) == [7, 3, 1, 1]


def test_hostile_text_is_still_xml(result: ScanResult) -> None:
    hostile = replace(
        result.findings[0],
        message="\x00\x1b[2J]]>&<\ud800\uffff\u202e",
        location=Location("<a>\x08.py", 1),
    )
    root = parsed(encode_junit(replace(result, findings=(hostile,))))
    failure = root.find(".//failure")
    assert failure is not None
    assert failure.get("message") == r"\x00\x1b[2J]]>&<\ud800\uffff\u202e"
