"""What the benchmarks of `keepwall run` share: pairs of runs, medians, verdicts, one envelope.

Every figure is a difference or a ratio within one pair of runs that follow each other at once, so
that a busy moment of the machine hits both. CPU time is that of a command and of everything that
it waited for: under `keepwall run` the supervisor and the fenced command together.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU and wall time of one run, in seconds."""

    cpu: float
    wall: float


def once(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Cost:
    """Run `command` to its end, its standard output thrown away, and return what it cost."""
    silent = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, silent, 1), (os.POSIX_SPAWN_CLOSE, silent)]
    begun = time.perf_counter()
    child = os.posix_spawn(command[0], command, environment or os.environ, file_actions=actions)
    _, status, usage = os.wait4(child, 0)
    wall = time.perf_counter() - begun
    os.close(silent)
    if status:
        raise SystemExit(f"{command} ended with {os.waitstatus_to_exitcode(status)}")
    return Cost(usage.ru_utime + usage.ru_stime, wall)


def median(costs: Sequence[Cost]) -> Cost:
    """Return the medians of each column."""
    return Cost(
        statistics.median(each.cpu for each in costs),
        statistics.median(each.wall for each in costs),
    )


def added(ours: Sequence[Cost], raw: Sequence[Cost]) -> Cost:
    """Return the medians of what each run of a pair cost beyond its raw twin."""
    pairs = list(zip(ours, raw, strict=True))
    return median([Cost(one.cpu - two.cpu, one.wall - two.wall) for one, two in pairs])


def ratio(ours: Sequence[Cost], raw: Sequence[Cost]) -> Cost:
    """Return the medians of the ratio within each pair."""
    pairs = list(zip(ours, raw, strict=True))
    return median([Cost(one.cpu / two.cpu, one.wall / two.wall) for one, two in pairs])


def verdict(figure: float, target: float) -> str:
    """Return ``kept`` or ``MISSED`` for a figure that may not be over its target."""
    return "kept" if figure <= target else "MISSED"


def keepwall(*arguments: str) -> list[str]:
    """Return the command line of `keepwall run` in this interpreter."""
    return [sys.executable, "-m", "keepwall", "run", *arguments]


def write_envelope(path: Path, writable: Path, *, egress: str = "") -> None:
    """Write an envelope in which this interpreter runs and may write below `writable` only."""
    places = sorted({"/usr", "/etc", os.path.realpath(sys.base_prefix), sys.prefix})
    trees = ", ".join(f'"{place}/**"' for place in places)
    path.write_text(
        f"""apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {{name: benchmark}}
spec:
  planes: [runtime, network]
  mode: enforce
  minimumStrength: killed-late
  process: {{allow: [{trees}]}}
  file: {{read: [{trees}, "{writable}/**"], write: ["{writable}/**"]}}
  network: {{egress: [{egress}]}}
"""
    )
