"""JUnit XML: findings as failed test cases, for CI systems that know nothing else."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection

from keepwall.formats.plain_text import visible
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.scan import ScanResult
from keepwall.vocabulary.surface import Severity, Surface


def encode_junit(
    result: ScanResult, *, fail_on: Severity = Severity.HIGH, baseline: Collection[str] = ()
) -> bytes:
    """Return one suite per surface, and one for what was not read.

    A finding at or over `fail_on` is a failure, one that is in the `baseline` is skipped, a lesser
    one passes and says so in its output. An unread part is an error. A surface without findings
    has one passed case, so that an empty report cannot be taken for a broken one.
    """
    root = ET.Element("testsuites", name="keepwall")
    for surface in Surface:
        cases = [
            _case(each, fail_on, baseline) for each in result.findings if each.surface is surface
        ]
        _suite(root, surface, cases or [_named("no findings", surface)], result)
    unread = []
    for part in result.unread:
        case = _named(visible(part.path), "unread")
        ET.SubElement(case, "error", message=visible(part.reason), type="unread")
        unread.append(case)
    if unread:
        _suite(root, "unread", unread, result)
    for kind in ("tests", "failures", "errors", "skipped"):
        root.set(kind, str(sum(int(suite.get(kind, "0")) for suite in root)))
    ET.indent(root)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(root: ET.Element, name: str, cases: list[ET.Element], result: ScanResult) -> None:
    def count(tag: str) -> str:
        return str(sum(case.find(tag) is not None for case in cases))

    suite = ET.SubElement(
        root,
        "testsuite",
        name=f"keepwall.{name}",
        tests=str(len(cases)),
        failures=count("failure"),
        errors=count("error"),
        skipped=count("skipped"),
        time="0",
        timestamp=result.scan.started_at.strftime("%Y-%m-%dT%H:%M:%S"),
    )
    suite.extend(cases)


def _named(name: str, group: str) -> ET.Element:
    return ET.Element("testcase", name=name, classname=f"keepwall.{group}", time="0")


def _case(finding: Finding, fail_on: Severity, baseline: Collection[str]) -> ET.Element:
    place = visible(str(finding.location))
    case = _named(f"{place}: {visible(finding.title)}", f"{finding.surface}.{finding.rule}")
    message = visible(finding.message or finding.title)
    if finding.fingerprint in baseline:
        ET.SubElement(case, "skipped", message=f"in the baseline: {message}")
    elif finding.severity.rank >= fail_on.rank:
        failure = ET.SubElement(case, "failure", message=message, type=finding.severity)
        failure.text = f"{place}\n{visible(finding.why)}\nFix: {visible(finding.fix)}"
    else:
        ET.SubElement(case, "system-out").text = f"{finding.severity}: {message}"
    return case
