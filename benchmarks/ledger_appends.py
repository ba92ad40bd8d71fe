"""Durable appends per second of the ledger, beside raw write and fsync of the same bytes.

Both sides write the same batches to the same file system in alternating rounds of one run. Usage:
``python benchmarks/ledger_appends.py [--batch 1000] [--rounds 40] [--directory DIR]``
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from keepwall.foundation.clock import SystemClock
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.trust.trust import Trust

RECORD_BYTES = 300


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Return wall and CPU seconds of `work`."""
    wall, cpu = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(directory: Path, batch: int, rounds: int) -> None:
    """Print one table for one batch size."""
    clock = SystemClock()
    signer = Trust.create(directory / "trust", "benchmark", clock).signer("ledger")
    records = [os.urandom(RECORD_BYTES) for _ in range(batch)]
    blob = b"".join(records)
    raw, kept = [], []
    descriptor = os.open(directory / "raw", os.O_WRONLY | os.O_CREAT, 0o600)

    def write() -> None:
        os.write(descriptor, blob)
        os.fsync(descriptor)

    with Ledger(directory / "log", signer, clock) as ledger:
        for _ in range(rounds):
            raw.append(timed(write))
            kept.append(timed(lambda: ledger.append(records)))
        opened = ledger.size
    os.close(descriptor)
    reopen = timed(lambda: Ledger(directory / "log", signer, clock).close())
    print(f"batch of {batch} records of {RECORD_BYTES} bytes, {rounds} rounds, medians")
    for name, column in (("wall", 0), ("CPU", 1)):
        base = statistics.median(each[column] for each in raw)
        ours = statistics.median(each[column] for each in kept)
        print(
            f"  {name:4} raw {base * 1e3:8.3f} ms  ledger {ours * 1e3:8.3f} ms  "
            f"ratio {ours / base:6.2f}  {ours / batch * 1e6:7.2f} us a record"
        )
    total = sum(each[0] for each in kept)
    print(f"  {opened / total:,.0f} durable appends/s; slowest batch {max(kept)[0] * 1e3:.1f} ms")
    print(f"  opening the log of {opened} records again: {reopen[0] * 1e3:.1f} ms")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--directory", type=Path, help="Where to write; it decides the disk.")
    arguments = parser.parse_args()
    for batch in arguments.batch:
        with tempfile.TemporaryDirectory(dir=arguments.directory) as directory:
            measure(Path(directory), batch, arguments.rounds)


if __name__ == "__main__":
    main()
