"""A scan on one screen: what matters most, where it is, what was not read, and what to do next."""

from __future__ import annotations

from collections import Counter

from keepwall.assess.surroundings import context_of
from keepwall.cli.table import (
    BOLD,
    DIM,
    GREEN,
    RED,
    SEVERITY_STYLE,
    Cell,
    fitted,
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


def report(
    result: ScanResult,
    verdict: Verdict,
    fail_on: Severity,
    *,
    width: int,
    color: bool,
    every: bool = False,
) -> str:
    """Return the report as text of at most `width` cells per line, with a final newline.

    It names the `FIRST_SCREEN` things that expose most: a row stands for a rule and the assets of
    one kind that fail it. With `every` it has a row for each finding.
    """
    known = {each.fingerprint for each in verdict.known}
    findings = sorted(
        (each for each in result.findings if each.fingerprint not in known), key=_importance
    )
    parts = [_headline(result, width=width, color=color)]
    if findings:
        rows = [[each] for each in findings] if every else _grouped(findings)
        shown = rows if every else rows[:FIRST_SCREEN]
        parts.append(_findings(shown, width=width, color=color))
        if more := len(findings) - sum(map(len, shown)):
            rest = _plural(len(rows) - len(shown), "more row")
            parts[-1] += f"\n… {_plural(more, 'finding')} in {rest}: add --all to see them"
    parts += [
        _surfaces(result, findings, width=width, color=color),
        *_left_out(result, verdict, width=width, color=color),
        _conclusion(verdict, fail_on, findings, color=color),
    ]
    return "\n\n".join(parts) + "\n"


def _importance(finding: Finding) -> tuple[int, int, str, str, int]:
    """Return what to show first: what exposes most, and of that what is worst."""
    place = finding.location
    return (-finding.exposure, -finding.severity.rank, finding.rule, place.path, place.line)


def _grouped(findings: list[Finding]) -> list[list[Finding]]:
    """Return the findings by rule, kind of asset and whether they lie beside the product.

    The groups and what is in them keep the order of `findings`.
    """
    groups: dict[tuple[str, str, bool], list[Finding]] = {}
    for each in findings:
        beside = context_of(each.location.path) != ""
        groups.setdefault((each.rule, each.asset.partition(":")[0], beside), []).append(each)
    return list(groups.values())


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


def _findings(groups: list[list[Finding]], *, width: int, color: bool) -> str:
    rows = [
        (
            Cell(first.severity, SEVERITY_STYLE[first.severity]),
            Cell(first.rule, DIM),
            Cell(str(first.location) or "(all of it)", tail=True),
            first.message or first.title,
        )
        for first, *_ in groups
    ]
    headers = ("severity", "rule", "where", "what")
    table = render_table(
        headers, rows, width=width, color=color, shrink=((2, 36), (3, 40), (2, 16), (3, 8))
    )
    head, *lines = table.splitlines()
    shown = [head]
    for line, (first, *others) in zip(lines, groups, strict=True):
        shown.append(line)
        if below := "; ".join(filter(None, (_others(others), first.reason))):
            shown.append(styled(fitted(f"{'':10}{below}", width).rstrip(), DIM, color=color))
    return "\n".join(shown)


def _others(others: list[Finding]) -> str:
    """Return how many findings a row stands for beside its first one, and in how many files."""
    if not others:
        return ""
    files = len({each.location.path for each in others})
    return f"and {len(others):,} more in {_plural(files, 'file')}"


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
