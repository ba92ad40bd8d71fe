"""Drift: what is otherwise than it was, from two results or from recorded changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from keepwall.foundation.store.changes import (
    About,
    Change,
    Difference,
    differences_of_assets,
    differences_of_findings,
)
from keepwall.vocabulary.scan import ScanResult


def drift(before: ScanResult, after: ScanResult) -> tuple[Change, ...]:
    """Return what `after` shows otherwise than `before`: assets by id, then findings, worst first.

    Both are results of one target. Lines that moved are no drift.
    """
    at, scan = after.scan.finished_at, after.scan.id
    assets = differences_of_assets(
        {each.id: each for each in before.assets},
        {each.id: each for each in after.assets},
        at,
        scan,
    )
    findings = differences_of_findings(
        {each.fingerprint: each for each in before.findings},
        {each.fingerprint: each for each in after.findings},
        at,
        scan,
    )
    return (*assets, *findings)


def net(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Return what several scans changed together, from their changes, oldest first.

    What came and went again is nothing. Each entry keeps the scan and the time since when it is so:
    the last one that touched the thing, for a thing that appeared the first. What went and came
    back counts as changed, since nobody knows what it was meanwhile.
    """
    found: dict[tuple[About, str], Change] = {}
    for change in changes:
        name = (change.about, change.id or change.scan)
        before = found.pop(name, None)
        now = change if before is None else _together(before, change)
        if now is not None:
            found[name] = now
    return tuple(found.values())


def _together(before: Change, after: Change) -> Change | None:
    match before.difference, after.difference:
        case Difference.APPEARED, Difference.VANISHED:
            return None
        case Difference.APPEARED, _:
            return replace(after, difference=Difference.APPEARED, at=before.at, scan=before.scan)
        case Difference.VANISHED, Difference.APPEARED:
            gone = f"was gone since {before.at:%Y-%m-%d %H:%M}"
            return replace(after, difference=Difference.CHANGED, details=(gone,))
        case Difference.CHANGED, Difference.CHANGED:
            return replace(after, details=(*before.details, *after.details))
        case _:
            return after
