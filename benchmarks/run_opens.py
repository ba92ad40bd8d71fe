"""What one open, connect or start of a program costs under `keepwall run`, against the raw call.

Each row is one loop in a Python child, run raw, fenced and learning in turn; the figure is the CPU
time of supervisor and child together (and the wall time) per call, less that of the same run with
an empty loop. The rows:

- known: the same file again, read-only; Landlock decides, the supervisor recognises it
- cold: the same, but 4 MiB of other work in between empties the caches, as a training step does
- first: every file once, read-only; Landlock decides, the supervisor follows the path
- writable: a file in a writable tree, whose path could change: followed every time
- brokered: a file that Landlock cannot name (not there at the start); the supervisor opens it
- connect: socket, connect to a listener on the loopback, close; the supervisor connects
- exec: start of /bin/true and its end, with the opens of its loader

Usage: python benchmarks/run_opens.py [ROUNDS]
"""

from __future__ import annotations

import socket
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

from pairs import (
    Cost,
    keepwall,
    median,
    nothing_refused,
    once,
    surroundings,
    verdict,
    write_envelope,
)

CHILD = """
import os, socket, struct, sys
what, count, place = sys.argv[1], int(sys.argv[2]), sys.argv[3]
if what == "connect":
    linger = struct.pack("ii", 1, 0)  # reset at the end: no port stays behind in TIME_WAIT
    for _ in range(count):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            sock.connect(("127.0.0.1", int(place)))
elif what == "exec":
    for _ in range(count):
        os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0)
elif what == "cold":
    work, block = bytes(4 << 20), bytearray(4 << 20)
    for _ in range(count):
        block[:] = work
        os.close(os.open(place, os.O_RDONLY))
elif what == "first":
    for number in range(count):
        os.close(os.open(f"{place}/{number}", os.O_RDONLY))
else:
    flags = os.O_RDONLY if what == "known" else os.O_WRONLY | os.O_CREAT
    for _ in range(count):
        os.close(os.open(place, flags))
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One loop: how often, where, and how many microseconds of CPU it may add per call."""

    count: int
    place: str
    target: float


def rows(folder: Path, port: int) -> Mapping[str, Row]:
    """Make the files and return the loops by name."""
    many = folder / "read" / "many"
    many.mkdir(parents=True)
    for number in range(4_000):
        (many / str(number)).touch()
    (folder / "write").mkdir()
    return {
        "known": Row(20_000, str(many / "0"), 40),
        "cold": Row(4_000, str(many / "0"), 80),
        "first": Row(4_000, str(many), 80),
        "writable": Row(10_000, str(folder / "write" / "file"), 80),
        "brokered": Row(10_000, str(folder / "later"), 120),
        "connect": Row(2_000, str(port), 200),
        "exec": Row(300, "", 1_000),
    }


def listener() -> socket.socket:
    """Return a listening socket whose connections are taken and dropped, in a thread."""
    found = socket.create_server(("127.0.0.1", 0), backlog=512)

    def accept() -> None:
        while True:
            found.accept()[0].close()

    Thread(target=accept, daemon=True).start()
    return found


def measure(
    lines: Mapping[str, Sequence[str]], what: str, row: Row, environment: Mapping[str, str]
) -> dict[str, Cost]:
    """Return microseconds per call of one round, by kind of run."""
    found = {}
    for kind, line in lines.items():
        costs = []
        for count in (0, row.count):
            if kind == "learning":
                Path(line[-2]).unlink(missing_ok=True)
            if what == "brokered":
                Path(row.place).unlink(missing_ok=True)
            child = [sys.executable, "-P", "-c", CHILD, what, str(count), row.place]
            costs.append(once([*line, *child], environment, quiet=kind == "learning"))
        scale = 1e6 / row.count
        empty, full = costs
        found[kind] = Cost((full.cpu - empty.cpu) * scale, (full.wall - empty.wall) * scale)
    return found


def main() -> None:
    """Print one row per kind of call."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as name, listener() as server:
        folder = Path(name).resolve()
        port = server.getsockname()[1]
        loops = rows(folder, port)
        write_envelope(
            folder / "envelope.yaml",
            readable=[f"{folder}/read/**"],
            writable=[f"{folder}/write/**", f"{folder}/later"],
            egress=f"{{to: 127.0.0.1, ports: [{port}]}}",
        )
        environment = surroundings(folder / "state")
        lines = {
            "raw": [],
            "fenced": keepwall("--envelope", str(folder / "envelope.yaml"), "--"),
            "learning": keepwall("--learn", str(folder / "learned.yaml"), "--"),
        }
        print(f"us of CPU (wall) per call, medians of {rounds} interleaved rounds")
        for what, row in loops.items():
            found = [measure(lines, what, row, environment) for _ in range(rounds)]
            middle = {kind: median([each[kind] for each in found]) for kind in lines}
            more = median(
                [Cost(each["fenced"].cpu - each["raw"].cpu, each["fenced"].wall) for each in found]
            )
            text = "   ".join(
                f"{kind} {cost.cpu:7.1f} ({cost.wall:7.1f})" for kind, cost in middle.items()
            )
            times = middle["fenced"].cpu / middle["raw"].cpu
            print(
                f"{what:9} {text}   fenced {times:5.1f}x CPU, adds {more.cpu:6.1f}"
                f"   target {row.target:5.0f}: {verdict(more.cpu, row.target)}"
            )
        nothing_refused(folder / "state")


if __name__ == "__main__":
    main()
