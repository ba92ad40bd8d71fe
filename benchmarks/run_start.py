"""What `keepwall run` adds to the start of a command, enforcing and learning.

`/bin/true` and `python -c pass`, each raw, fenced and learned in turn. The state directory is
empty, as on a laptop without a control plane. Learning has no target: it is not on the way to
production, its cost is only said.

Usage: python benchmarks/run_start.py [PAIRS]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from pairs import (
    Cost,
    added,
    keepwall,
    median,
    nothing_refused,
    once,
    ratio,
    surroundings,
    verdict,
    write_envelope,
)

TARGET = 0.150
COMMANDS = {"/bin/true": ["/bin/true"], "python -c pass": [sys.executable, "-c", "pass"]}


def measure(command: list[str], folder: Path, pairs: int) -> dict[str, list[Cost]]:
    """Return the costs of `pairs` interleaved runs of each kind."""
    envelope = folder / "envelope.yaml"
    write_envelope(envelope)
    environment = surroundings(folder / "state")
    fenced = [*keepwall("--envelope", str(envelope), "--"), *command]
    costs: dict[str, list[Cost]] = {"raw": [], "fenced": [], "learning": []}
    for number in range(-1, pairs):  # the first round warms the page cache and is not counted
        learned = folder / f"learned-{number}.yaml"
        learning = [*keepwall("--learn", str(learned), "--"), *command]
        for name, line in (("raw", command), ("fenced", fenced), ("learning", learning)):
            cost = once(line, environment, quiet=name == "learning")
            if number >= 0:
                costs[name].append(cost)
        learned.unlink()
    nothing_refused(folder / "state")
    return costs


def main() -> None:
    """Print the medians and whether the target was kept."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 25
    for name, command in COMMANDS.items():
        with tempfile.TemporaryDirectory() as folder:
            costs = measure(command, Path(folder).resolve(), pairs)
        print(f"{name}, medians of {pairs} interleaved runs")
        for kind, runs in costs.items():
            middle, more, times = median(runs), added(runs, costs["raw"]), ratio(runs, costs["raw"])
            line = (
                f"  {kind:9} CPU {middle.cpu * 1e3:6.1f} ms   wall {middle.wall * 1e3:6.1f} ms"
                f"   {times.cpu:5.1f}x CPU   {times.wall:5.1f}x wall"
            )
            if kind != "raw":
                line += f"   added CPU {more.cpu * 1e3:6.1f} ms, wall {more.wall * 1e3:6.1f} ms"
            if kind == "fenced":
                line += (
                    f"   target {TARGET * 1e3:.0f} ms added:"
                    f" CPU {verdict(more.cpu, TARGET)}, wall {verdict(more.wall, TARGET)}"
                )
            print(line)


if __name__ == "__main__":
    main()
