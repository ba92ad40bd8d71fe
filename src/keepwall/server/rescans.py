"""Scan the targets of a control plane again and again, and record what is otherwise."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from keepwall.foundation.store.store import Store
from keepwall.vocabulary.errors import KeepwallError
from keepwall.vocabulary.scan import ScanResult
from keepwall.workflows.drift import drift
from keepwall.workflows.scan import scan

_log = logging.getLogger(__name__)
_SHARE = 20
"""A scan that takes a second is followed by twenty without one."""
_LONGEST = 240.0
"""Seconds between two looks at one target at most: a drift shows within five minutes."""
_RECORD = timedelta(hours=1)
"""So often the result of a scan is recorded even where nothing is otherwise."""
_NEVER = datetime.min.replace(tzinfo=UTC)

Tell = Callable[[str], None]


@dataclass(slots=True)
class Rescans:
    """Looks at every target at least every `every` seconds (or longer, where a look takes long).

    An unchanged file is not read again, so a look costs little more than a walk of the tree. Only a
    result that differs is recorded, and one an hour to show that somebody still looks.
    """

    store: Store
    targets: tuple[str, ...]
    remember: Path
    every: float
    changed: Callable[[str], None]
    tell: Tell
    _last: dict[str, ScanResult] = field(default_factory=dict)

    async def run(self) -> None:
        """Look for ever; a target that fails does not stop the others."""
        due = dict.fromkeys(self.targets, 0.0)
        while due:
            target = min(due, key=lambda each: due[each])
            await asyncio.sleep(max(due[target] - time.monotonic(), 0))
            started = time.monotonic()
            await self._look(target)
            now = time.monotonic()
            due[target] = now + min(max(self.every, _SHARE * (now - started)), _LONGEST)

    async def _look(self, target: str) -> None:
        try:
            result = await asyncio.to_thread(scan, target, remember=self.remember)
            if await asyncio.to_thread(self._record, target, result):
                self.changed(target)
        except KeepwallError as error:
            self.tell(f"scanning {target} failed: {error.message}")
        except OSError as error:  # of the machine: no memory, no descriptors, a full disk
            self.tell(f"scanning {target} failed: {error}")

    def _record(self, target: str, result: ScanResult) -> bool:
        """Record `result` where it says anything new; return whether it does."""
        before = self._last.get(target)
        if before is not None and _same(before, result):
            if result.scan.finished_at - before.scan.finished_at < _RECORD:
                return False
        elif before is not None:
            self.tell(_news(target, before, result))
        self.store.scans.record(result)
        self._last[target] = result
        return True


def _same(before: ScanResult, after: ScanResult) -> bool:
    """Return whether two results say the same, but for when."""
    return _timeless(before) == _timeless(after)


def _timeless(result: ScanResult) -> ScanResult:
    info = replace(result.scan, id="", bytes=0, started_at=_NEVER, finished_at=_NEVER)
    return replace(result, scan=info)


def _news(target: str, before: ScanResult, after: ScanResult) -> str:
    """Return one line for a person: how much of what is otherwise."""
    counts: dict[tuple[str, str], int] = {}
    for each in drift(before, after):
        what = each.about.value, each.difference.value
        counts[what] = counts.get(what, 0) + 1
    words = [
        f"{count} {about}{'' if count == 1 else 's'} {difference}"
        for (about, difference), count in counts.items()
    ]
    since = f"since {before.scan.finished_at:%H:%M:%S}"
    return f"{target}: {', '.join(words) or 'what could be read is otherwise'} {since}"
