"""What `keepwall run` adds to the start of a command, enforcing and learning.

`/bin/true` and `python -c pass`, each raw, fenced, fenced with orders, and learned in turn. The
state directory is empty, as on a laptop without a control plane; "orders" is one with what an
incident leaves there: a narrowed envelope and a released containment, both signed, which every
start checks and composes. Learning has no target: it is not on the way to production, its cost is
only said.

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

from keepwall.foundation.bus.signed import Document, seal
from keepwall.foundation.bus.snapshot import SnapshotDirectory
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.trust.trust import Trust

TARGET = 0.150
KINDS = ("raw", "fenced", "orders", "learning")
COMMANDS = {"/bin/true": ["/bin/true"], "python -c pass": [sys.executable, "-c", "pass"]}


def give_orders(root: Path, spec: str) -> None:
    """Leave in the state directory `root` what a closed incident leaves, signed."""
    clock, state = SystemClock(), StateDirectory(root).ensure()
    signer = Trust.open_or_create(state.trust, "Benchmark", clock).signer("control")
    snapshots = SnapshotDirectory(state.snapshots)
    narrowing = {"uid": "benchmark#narrowed", "generation": 1, "spec": spec, "reason": "i-1"}
    at = clock.now().isoformat()
    released = {"incident": "i-1", "subject": "run:benchmark", "level": "released", "at": at}
    for bucket, key, body in (
        ("envelopes", "benchmark#narrowed", narrowing),
        ("containments", "i-1", released),
    ):
        envelope = seal(signer, bucket, key, 1, body)
        snapshots.write(Document(bucket, key, 1, body, envelope))


def measure(command: list[str], folder: Path, pairs: int) -> dict[str, list[Cost]]:
    """Return the costs of `pairs` interleaved runs of each kind."""
    envelope = folder / "envelope.yaml"
    write_envelope(envelope)
    environment = surroundings(folder / "state")
    under_orders = surroundings(folder / "ordered")
    give_orders(folder / "ordered", envelope.read_text())
    fenced = [*keepwall("--envelope", str(envelope), "--"), *command]
    costs: dict[str, list[Cost]] = {kind: [] for kind in KINDS}
    for number in range(-1, pairs):  # the first round warms the page cache and is not counted
        learned = folder / f"learned-{number}.yaml"
        learning = [*keepwall("--learn", str(learned), "--"), *command]
        lines = (command, fenced, fenced, learning)
        for name, line in zip(KINDS, lines, strict=True):
            where = under_orders if name == "orders" else environment
            cost = once(line, where, quiet=name == "learning")
            if number >= 0:
                costs[name].append(cost)
        learned.unlink()
    nothing_refused(folder / "state")
    nothing_refused(folder / "ordered")
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
            if kind in ("fenced", "orders"):
                line += (
                    f"   target {TARGET * 1e3:.0f} ms added:"
                    f" CPU {verdict(more.cpu, TARGET)}, wall {verdict(more.wall, TARGET)}"
                )
            print(line)


if __name__ == "__main__":
    main()
