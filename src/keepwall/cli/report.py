"""A scan on one screen: what matters most, where it is, what was not read, and what to do next."""

from __future__ import annotations

import re
from collections import Counter

from keepwall.cli.table import (
    BOLD,
    DIM,
    GREEN,
    RED,
    SEVERITY_STYLE,
    Cell,
    fitted_tail,
    render_table,
    styled,
)
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.errors import ExitCode
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.scan import ScanResult
from keepwall.vocabulary.surface import Severity, Surface
from keepwall.workflows.verdict import Verdict

FIRST_SCREEN = 15
UNREAD_SHOWN = 3
_BESIDE = re.compile(
    r"(?:^|/)(?:tests?|testing|docs?|examples?|benchmarks?|fixtures|cassettes|vendor)/"
    r"|(?:^|/)(?:test_[^/]*|conftest)\.py$|_test\.py$"
)


def report(
    result: ScanResult, verdict: Verdict, fail_on: Severity, *, width: int, color: bool
) -> str:
    """Return the report as text of at most `width` cells per line, with a final newline."""
    known = {each.fingerprint for each in verdict.known}
    findings = sorted(
        (each for each in result.findings if each.fingerprint not in known), key=_importance
    )
    parts = [_headline(result, width=width, color=color)]
    if findings:
        rows = _rows(findings)
        parts.append(_findings(rows[:FIRST_SCREEN], width=width, color=color))
        if (more := len(findings) - sum(count for _, count in rows[:FIRST_SCREEN])) > 0:
            parts[-1] += f"\n… and {more} more: --format json lists them all"
    parts += [
        _surfaces(result, findings, width=width, color=color),
        *_left_out(result, verdict, width=width, color=color),
        _conclusion(verdict, fail_on, findings, color=color),
    ]
    return "\n\n".join(parts) + "\n"


def _importance(finding: Finding) -> tuple[int, bool, str, str, int]:
    """Return what to show first: what is worst, and of that what is shipped before what tests it.

    Only the order follows the path, which the target decides; counts and the exit code do not.
    """
    place = finding.location
    beside = _BESIDE.search(place.path) is not None
    return (-finding.severity.rank, beside, finding.rule, place.path, place.line)


def _rows(findings: list[Finding]) -> list[tuple[Finding, int]]:
    """Return the first finding of each rule in each file, with how many it stands for."""
    counts = Counter((each.severity, each.rule, each.location.path) for each in findings)
    first = {(each.severity, each.rule, each.location.path): each for each in reversed(findings)}
    order = dict.fromkeys((each.severity, each.rule, each.location.path) for each in findings)
    return [(first[key], counts[key]) for key in order]


def _plural(count: int, word: str, words: str = "") -> str:
    return f"{count:,} {word if count == 1 else words or word + 's'}"


def _headline(result: ScanResult, *, width: int, color: bool) -> str:
    scan = result.scan
    seconds = (scan.finished_at - scan.started_at).total_seconds()
    facts = ", ".join(
        (
            _plural(scan.files, "file"),
            _plural(len(result.assets), "asset"),
            _plural(scan.rules, "rule"),
            f"{seconds:.1f} s",
        )
    )
    target = fitted_tail(visible(scan.target), max(width - len(facts) - 2, 8))
    return f"{styled(target, BOLD, color=color)}: {facts}"


def _findings(findings: list[tuple[Finding, int]], *, width: int, color: bool) -> str:
    rows = [
        (
            Cell(each.severity, SEVERITY_STYLE[each.severity]),
            Cell(each.rule, DIM),
            Cell(str(each.location), tail=True),
            (each.message or each.title) + (f" (+{count - 1} in this file)" if count > 1 else ""),
        )
        for each, count in findings
    ]
    headers = ("severity", "rule", "where", "what")
    return render_table(headers, rows, width=width, color=color, shrink=((3, 32), (2, 16), (3, 8)))


def _surfaces(result: ScanResult, findings: list[Finding], *, width: int, color: bool) -> str:
    assets = Counter(each.surface for each in result.assets)
    counts = Counter((each.surface, each.severity) for each in findings)
    severities = tuple(reversed(Severity))
    rows = [
        (
            surface,
            str(assets[surface]),
            *(
                Cell(str(number), SEVERITY_STYLE[each])
                if (number := counts[surface, each])
                else "·"
                for each in severities
            ),
        )
        for surface in Surface
        if assets[surface] or any(counts[surface, each] for each in severities)
    ]
    return render_table(("surface", "assets", *severities), rows, width=width, color=color)


def _left_out(result: ScanResult, verdict: Verdict, *, width: int, color: bool) -> list[str]:
    """Return what does not show above: unread parts, ignored and known findings."""
    parts = []
    if result.unread:
        lines = [styled(f"Not read: {_plural(len(result.unread), 'part')}", RED, color=color)]
        rows = [
            ("", Cell(each.path, tail=True), each.reason) for each in result.unread[:UNREAD_SHOWN]
        ]
        lines += render_table(
            ("", "", ""), rows, width=width, shrink=((2, 24), (1, 16))
        ).splitlines()[1:]
        if more := len(result.unread) - len(rows):
            lines.append(f"  … and {more} more: --format json lists them all")
        parts.append("\n".join(lines))
    notes = []
    if result.scan.ignored:
        notes.append(f"{_plural(result.scan.ignored, 'finding')} ignored by configuration.")
    if verdict.known:
        notes.append(f"{_plural(len(verdict.known), 'finding')} in the baseline, not counted.")
    return [*parts, "\n".join(notes)] if notes else parts


def _conclusion(
    verdict: Verdict, fail_on: Severity, findings: list[Finding], *, color: bool
) -> str:
    failing = len(verdict.failing)
    if verdict.exit_code is ExitCode.FINDINGS:
        text = f"Failed: {_plural(failing, 'finding')} at or over {fail_on}."
        style = RED
    elif verdict.exit_code is ExitCode.INCOMPLETE:
        text, style = f"Incomplete: nothing at or over {fail_on} in what was read.", RED
    else:
        text, style = f"Passed: nothing at or over {fail_on}.", GREEN
    worst = verdict.failing or findings
    step = f"keepwall explain {min(worst, key=_importance).rule}" if worst else "keepwall doctor"
    return f"{styled(text, style, color=color)}\nNext: {step}"
