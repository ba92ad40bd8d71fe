"""How long ``keepwall --help`` takes, next to ``python -c pass`` and ``import click`` of this run.

Usage: python benchmarks/cli_help.py [RUNS]
"""

from __future__ import annotations

import os
import statistics
import sys
import time

BUDGET = 0.150
PROGRAMS = {
    "python -c pass": ["-c", "pass"],
    "import click": ["-c", "import click"],
    "keepwall --help": ["-m", "keepwall", "--help"],
}


def once(arguments: list[str]) -> tuple[float, float]:
    """Return wall and CPU seconds of one start of the interpreter."""
    begun = time.perf_counter()
    silent = os.open(os.devnull, os.O_WRONLY)
    actions = [(os.POSIX_SPAWN_DUP2, silent, 1), (os.POSIX_SPAWN_CLOSE, silent)]
    child = os.posix_spawn(
        sys.executable, [sys.executable, *arguments], os.environ, file_actions=actions
    )
    _, status, usage = os.wait4(child, 0)
    os.close(silent)
    if status:
        raise SystemExit(f"{arguments} failed with status {status}")
    return time.perf_counter() - begun, usage.ru_utime + usage.ru_stime


def main() -> int:
    """Print the medians; return 1 if the help is over its budget."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in PROGRAMS}
    for _ in range(runs):  # interleaved, so that a busy moment hits all of them
        for name, arguments in PROGRAMS.items():
            times[name].append(once(arguments))
    cpu = {name: statistics.median(each[1] for each in values) for name, values in times.items()}
    wall = {name: statistics.median(each[0] for each in values) for name, values in times.items()}
    base = "python -c pass"
    for name in PROGRAMS:
        print(
            f"{name:18} CPU {cpu[name] * 1000:6.1f} ms   wall {wall[name] * 1000:6.1f} ms"
            f"   {cpu[name] / cpu[base]:4.1f}x CPU of {base}"
        )
    missed = wall["keepwall --help"] > BUDGET
    print(f"budget {BUDGET * 1000:.0f} ms: {'MISSED' if missed else 'kept'}")
    return int(missed)


if __name__ == "__main__":
    sys.exit(main())
