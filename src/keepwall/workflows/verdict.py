"""What the result of a scan means for a gate."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from keepwall.vocabulary.errors import ExitCode
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.scan import ScanResult
from keepwall.vocabulary.surface import Severity


@dataclass(frozen=True, slots=True)
class Verdict:
    """`failing` findings are at or over the bar and new; `known` ones were in the baseline."""

    failing: tuple[Finding, ...]
    known: tuple[Finding, ...]
    complete: bool

    @property
    def exit_code(self) -> ExitCode:
        """1 with failing findings, else 3 if something was not read, else 0.

        Findings beat an incomplete answer: reading the rest could only add to them.
        """
        if self.failing:
            return ExitCode.FINDINGS
        return ExitCode.CLEAN if self.complete else ExitCode.INCOMPLETE


def judge(result: ScanResult, fail_on: Severity, baseline: Collection[str] = ()) -> Verdict:
    """Return the verdict on `result`; findings whose fingerprint is in `baseline` do not count."""
    return Verdict(
        failing=tuple(
            each
            for each in result.findings
            if each.severity.rank >= fail_on.rank and each.fingerprint not in baseline
        ),
        known=tuple(each for each in result.findings if each.fingerprint in baseline),
        complete=not result.unread,
    )
