"""SARIF 2.1.0: findings for code hosts and editors.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/sarif-v2.1.0-os.html
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from urllib.parse import quote

from keepwall.formats.json_text import encode_json
from keepwall.formats.plain_text import visible, well_formed
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import ScanResult
from keepwall.vocabulary.surface import Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "keepwall/v1"
LEVELS: Mapping[Severity, str] = {
    Severity.CRITICAL: "error",
    Severity.HIGH: "error",
    Severity.MEDIUM: "warning",
    Severity.LOW: "note",
    Severity.INFO: "note",
}
SCORES: Mapping[Severity, str] = {
    Severity.CRITICAL: "9.5",
    Severity.HIGH: "8.0",
    Severity.MEDIUM: "5.5",
    Severity.LOW: "2.5",
    Severity.INFO: "0.0",
}
"""`security-severity`, by which code hosts sort: the middle of each CVSS band."""


def encode_sarif(result: ScanResult, *, baseline: Collection[str] | None = None) -> bytes:
    """Return the findings of `result` as one SARIF run.

    With a `baseline` (fingerprints) each result says whether it is new. What was not read becomes
    a notification, and the run then counts as not successful.
    """
    rules = {each.rule: each for each in result.findings}
    order = {name: number for number, name in enumerate(sorted(rules))}
    run: dict[str, JsonValue] = {
        "tool": {
            "driver": {
                "name": "Keepwall",
                "semanticVersion": result.scan.version,
                "informationUri": "https://keepwall.dev",
                "rules": [_rule(rules[name]) for name in order],
            }
        },
        "automationDetails": {"id": f"keepwall/{quote(result.scan.id)}"},
        "columnKind": "unicodeCodePoints",
        "invocations": [
            {
                "executionSuccessful": not result.unread,
                "startTimeUtc": result.scan.started_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "endTimeUtc": result.scan.finished_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
                "toolExecutionNotifications": [_notification(each) for each in result.unread],
            }
        ],
        "results": [_result(each, order[each.rule], baseline) for each in result.findings],
    }
    return encode_json({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})


def relative_uri(path: str) -> str:
    """Return `path` as a URI reference with every odd byte percent-encoded (RFC 3986).

    An absolute path becomes a ``file:`` URI; bytes that are not UTF-8 keep their value.
    """
    try:
        raw = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = well_formed(path).encode()
    return ("file://" if raw.startswith(b"/") else "") + quote(raw, safe="/")


def _message(text: str) -> str:
    """Return `text` for a message: one line, and no embedded link (section 3.11.6) of others."""
    shown = visible(text)
    return shown.replace("[", r"\[").replace("]", r"\]") if "](" in shown else shown


def _rule(example: Finding) -> JsonValue:
    mappings = [f"{scheme}/{each}" for scheme, ids in example.mappings.items() for each in ids]
    return {
        "id": example.rule,
        "shortDescription": {"text": example.title},
        "fullDescription": {"text": example.why or example.title},
        "help": {"text": f"{example.why}\n\nFix: {example.fix}"},
        "defaultConfiguration": {"level": LEVELS[example.severity]},
        "properties": {
            "tags": ["security", "ai", example.surface, *sorted(mappings)],
            "security-severity": SCORES[example.severity],
        },
    }


def _result(finding: Finding, rule: int, baseline: Collection[str] | None) -> JsonValue:
    result: dict[str, JsonValue] = {
        "ruleId": finding.rule,
        "ruleIndex": rule,
        "level": LEVELS[finding.severity],
        "message": {"text": _message(finding.message or finding.title)},
        "partialFingerprints": {FINGERPRINT: finding.fingerprint},
        "properties": {
            "asset": visible(finding.asset),
            "severity": finding.severity,
            **({"reason": visible(finding.reason)} if finding.reason else {}),
        },
    }
    if finding.exposure:
        result["rank"] = float(finding.exposure)
    if finding.location.path:
        result["locations"] = [{"physicalLocation": _place(finding)}]
    if baseline is not None:
        result["baselineState"] = "unchanged" if finding.fingerprint in baseline else "new"
    return result


def _place(finding: Finding) -> JsonValue:
    place: dict[str, JsonValue] = {"artifactLocation": {"uri": relative_uri(finding.location.path)}}
    if finding.location.line > 0:
        place["region"] = {"startLine": finding.location.line}
    return place


def _notification(unread: Unread) -> JsonValue:
    return {
        "level": "error",
        "message": {"text": _message(f"not read: {unread.reason}")},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": relative_uri(unread.path)}}}
        ],
    }
