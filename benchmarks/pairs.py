"""What the benchmarks of `keepwall run` share: pairs of runs, medians, verdicts, one envelope.

Every figure is a difference or a ratio within one pair of runs that follow each other at once, so
that a busy moment of the machine hits both. CPU time is that of a command and of everything that
it waited for: under `keepwall run` the supervisor and the fenced command together.
"""

from __future__ import annotations

import json
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


def surroundings(state: Path) -> dict[str, str]:
    """Return the environment of every run: an empty state directory, compiled modules."""
    kept = {name: text for name, text in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**kept, "KEEPWALL_STATE": str(state)}


def once(command: Sequence[str], environment: Mapping[str, str], *, quiet: bool = False) -> Cost:
    """Run `command` to its end, its standard output thrown away, and return what it cost.

    `quiet` throws away its standard error as well, which learning writes to.
    """
    silent = os.open(os.devnull, os.O_WRONLY)
    streams = (1, 2) if quiet else (1,)
    actions = [(os.POSIX_SPAWN_DUP2, silent, stream) for stream in streams]
    begun = time.perf_counter()
    child = os.posix_spawn(command[0], command, environment, file_actions=actions)
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


def nothing_refused(state: Path) -> None:
    """End the program if a run reported anything: it would have measured something else."""
    if spooled := list(state.glob("spool/*")):
        raise SystemExit(f"the envelope refused something:\n{spooled[0].read_text()}")


def write_envelope(
    path: Path, *, readable: Sequence[str] = (), writable: Sequence[str] = (), egress: str = ""
) -> None:
    """Write an envelope in which this interpreter runs.

    It reads what the rules `readable` name besides, writes `writable` and reaches `egress`.
    """
    found = (sys.base_prefix, sys.prefix, *(each for each in sys.path if Path(each).is_dir()))
    programs = sorted({"/usr", "/etc", *(str(Path(each).resolve()) for each in found)})
    trees = [f"{place}/**" for place in programs]
    path.write_text(
        f"""apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {{name: benchmark}}
spec:
  planes: [runtime, network]
  mode: enforce
  minimumStrength: killed-late
  process: {{allow: {json.dumps(trees)}}}
  file: {{read: {json.dumps([*trees, *readable])}, write: {json.dumps(list(writable))}}}
  network: {{egress: [{egress}]}}
"""
    )
