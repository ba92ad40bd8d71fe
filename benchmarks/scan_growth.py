"""How a scan grows from 1,000 to 20,000 files, what it holds in memory, and what a second costs.

The trees are made of real files: those below the paths that are given, else the Python that runs
this with all that is installed for it; files are taken evenly and repeated under other names where
there are too few. Every scan runs as a user runs it, in a process of its own. With --peer PROGRAM,
`PROGRAM scan TREE -f json -q -o FILE` (ai-bom of PyPI) looks at the same trees in the same run.

Usage: python benchmarks/scan_growth.py [--peer PROGRAM] [--files N,N,…] [PATH…]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psutil

WALL, MEMORY, SECOND = 30.0, 400 << 20, 5.0
MOST_BYTES = 4 << 20
SETTLE = 2.5
"""Seconds after which a file counts as unchanged: younger ones are never remembered."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds by the clock and of all processors, and the most memory at a time, in bytes."""

    wall: float
    cpu: float
    memory: int


def main() -> int:
    """Print the table; 1 where a target was missed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--peer")
    parser.add_argument("--files", default="1000,5000,20000")
    parser.add_argument("paths", nargs="*", type=Path)
    options = parser.parse_args()
    paths = options.paths or [Path(sysconfig.get_paths()[name]) for name in ("stdlib", "purelib")]
    sizes = [int(each) for each in options.files.split(",")]
    missed = False
    print(
        f"{'files':>7} {'MB':>6} {'wall s':>7} {'cpu s':>7} {'ms/file':>8} {'peak MB':>8}", end=""
    )
    print(
        f" {'2nd cpu':>8} {'faster':>7}", f" {'peer cpu':>9} {'ratio':>6}" if options.peer else ""
    )
    with tempfile.TemporaryDirectory() as scratch:
        for size in sizes:
            tree = Path(scratch) / f"tree{size}"
            taken = grow(tree, paths, size)
            time.sleep(SETTLE)
            state = Path(scratch) / f"state{size}"
            state.mkdir()
            first, before = scan(tree, state)
            second, after = scan(tree, state)
            same = before == after
            line = f"{size:>7} {taken / 1e6:>6.0f} {first.wall:>7.1f} {first.cpu:>7.1f}"
            line += f" {1000 * first.cpu / size:>8.2f} {first.memory / 1e6:>8.0f}"
            line += f" {second.cpu:>8.2f} {first.cpu / second.cpu:>6.1f}x"
            if options.peer:
                peer = run([options.peer, "scan", str(tree), "-f", "json", "-q", "-o", os.devnull])
                line += f"  {peer.cpu:>9.1f} {peer.cpu / first.cpu:>5.1f}x"
            print(line, "" if same else "the second result differs", flush=True)
            large = size >= max(sizes)
            missed |= not same
            missed |= large and (first.wall > WALL or first.memory > MEMORY)
            missed |= large and first.cpu / second.cpu < SECOND
            shutil.rmtree(tree)
    print(f"target at the largest: {WALL:g} s, {MEMORY >> 20} MB, second {SECOND:g}x faster, same")
    return 1 if missed else 0


def grow(tree: Path, paths: list[Path], count: int) -> int:
    """Make a tree of `count` files out of what lies below `paths`; return its bytes."""
    found = [
        (root, file)
        for root in paths
        for file in sorted(root.rglob("*"))
        if file.is_file()
        and not file.is_symlink()
        and "__pycache__" not in file.parts
        and file.stat().st_size <= MOST_BYTES
    ]
    step = max(len(found) / count, 1.0)
    chosen = [found[int(at * step)] for at in range(min(count, len(found)))]
    total = 0
    for number in range(count):
        root, file = chosen[number % len(chosen)]
        # No folder that scans leave out by convention, or the tree would be empty.
        parts = [f"{part}_" if part == "site-packages" else part for part in file.parts]
        place = tree / f"copy{number // len(chosen)}" / root.name.replace("-", "_")
        place /= Path(*parts[len(root.parts) :])
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, place)
        total += file.stat().st_size
    return total


def scan(tree: Path, state: Path) -> tuple[Cost, dict[str, object]]:
    """Return what a scan of `tree` costs, and its result without times."""
    result = state / "result.json"
    command = [sys.executable, "-m", "keepwall", "scan", str(tree), "--no-store"]
    cost = run([*command, "-f", "json", "-o", str(result)], {"KEEPWALL_STATE": str(state)})
    found: dict[str, object] = json.loads(result.read_bytes())
    del found["scan"]
    return cost, found


def run(command: list[str], environment: dict[str, str] | None = None) -> Cost:
    """Return what a command with all its processes costs."""
    before, started = os.times(), time.monotonic()
    process = subprocess.Popen(
        command,
        env={**os.environ, **(environment or {})},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    peak = [0]
    watcher = threading.Thread(target=watch, args=(process, peak))
    watcher.start()
    process.wait()
    watcher.join()
    wall, after = time.monotonic() - started, os.times()
    cpu = after.children_user - before.children_user + after.children_system
    return Cost(wall, cpu - before.children_system, peak[0])


def watch(process: subprocess.Popen[bytes], peak: list[int]) -> None:
    """Note the most memory (resident, less what is shared) of a process with its children."""
    top = psutil.Process(process.pid)
    while process.poll() is None:
        total = 0
        try:
            for each in (top, *top.children(recursive=True)):
                total += each.memory_info().rss - each.memory_info().shared
        except psutil.Error:
            pass
        peak[0] = max(peak[0], total)
        time.sleep(0.05)


if __name__ == "__main__":
    sys.exit(main())
