"""What ``scan --fix`` says and writes."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from keepwall.cli.output import emit, note
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.scan import ScanResult


def mend(
    targets: Sequence[str], results: Sequence[ScanResult], *, dry_run: bool, output: Path | None
) -> bool:
    """Mend the findings of `results`, one for each of `targets`; return whether files changed.

    With `dry_run` the changes are printed as one unified diff (to `output`, else standard output)
    and nothing is written.

    Raises:
        ConfigError: a target is not a path.
    """
    from keepwall.rulebook.book import Rulebook
    from keepwall.workflows.fix import apply_fixes, plan_fixes
    from keepwall.workflows.scan import target_path

    paths = [target_path(target) for target in targets]
    if None in paths:
        raise ConfigError("only files can be mended", hint="name a path, not host")
    book = Rulebook.load()
    plans = [
        plan_fixes(path, result.findings, book)
        for path, result in zip(paths, results, strict=True)
        if path
    ]
    if dry_run:
        emit("".join(_shown(fix.diff) for plan in plans for fix in plan.fixes).encode(), output)
        done = plans
    else:
        done = [apply_fixes(plan) for plan in plans]
    for plan in done:
        for fix in plan.fixes:
            rules = Counter(finding.rule for finding in fix.findings)
            named = ", ".join(f"{rule} ({count})" for rule, count in sorted(rules.items()))
            note(f"{'would mend' if dry_run else 'mended'} {fix.path}: {named}")
        for each in plan.refused:
            note(f"not mended: {each.path}: {each.reason}")
    if not any(plan.fixes for plan in done):
        note("nothing can be mended mechanically")
    return not dry_run and any(plan.fixes for plan in done)


def _shown(diff: str) -> str:
    """Return a diff as it is for a file or pipe; on a terminal nothing in it steers that."""
    if not sys.stdout.isatty():
        return diff
    return "".join(f"{visible(line)}\n" for line in diff.removesuffix("\n").split("\n"))
