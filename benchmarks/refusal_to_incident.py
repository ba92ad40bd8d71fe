"""How long from a refused read of a credential until the incident can be seen over the API.

A real control plane, real fenced runs that are up already (so that start-up does not count), one
subject each. The clock starts at the refusal (the event's own time) and stops when the API first
answers with the incident. The raw baseline of the same run is one API request.
"""

from __future__ import annotations

import http.client
import json
import statistics
import subprocess
import sys
import time
from pathlib import Path

from keepwall.range.world import World
from keepwall.workflows import connection

RUNS = 10
TARGET = 1.0
ENVELOPE = """
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {{name: bench-{number}}}
spec:
  planes: [runtime]
  minimumStrength: killed-late
  process: {{allow: ["{program}"], capabilities: []}}
  file:
    read: [/usr/**, /etc/**, "{prefix}/**"]
    write: ["{home}/project/**"]
"""
CODE = """
import os, sys, time
time.sleep(1.0)
try:
    open(os.path.expanduser("~/.aws/credentials"))
except OSError:
    pass
time.sleep(20)
"""


def request(api: str, token: str, path: str) -> tuple[float, object]:
    """Return (seconds, decoded answer) of one GET."""
    began = time.perf_counter()
    client = http.client.HTTPConnection(api.removeprefix("http://"), timeout=5)
    client.request("GET", path, headers={"authorization": f"Bearer {token}"})
    answer = json.loads(client.getresponse().read())
    client.close()
    return time.perf_counter() - began, answer


def one(world: World, link: connection.Connection, number: int) -> float:
    """Return the seconds of one run from refusal to visible incident."""
    program = str(Path(sys.executable).resolve())
    envelope = world.root / f"bench-{number}.yaml"
    envelope.write_text(
        ENVELOPE.format(number=number, program=program, prefix=sys.base_prefix, home=world.home)
    )
    run = subprocess.Popen(
        [sys.executable, "-m", "keepwall", "run", "-e", str(envelope), "--", program, "-c", CODE],
        env=world.environment,
        cwd=world.project,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            _, answer = request(link.api, link.token, "/api/v1/incidents?limit=50")
            seen = time.time()
            for incident in answer["items"] if isinstance(answer, dict) else []:
                if incident["subject"] == f"run:bench-{number}":
                    at = incident["timeline"][0]["at"].replace("Z", "+00:00")
                    return seen - _seconds(at)
            time.sleep(0.01)
        raise SystemExit(f"no incident for run {number} within 15 s")
    finally:
        run.kill()
        run.wait()


def _seconds(text: str) -> float:
    from datetime import datetime  # noqa: PLC0415

    return datetime.fromisoformat(text).timestamp()


def main() -> None:
    """Print the median and the worst of all runs."""
    with World() as world:
        world.start_control_plane()
        link = connection.read(world.state)
        if link is None:
            raise SystemExit("the control plane is not there")
        raw = statistics.median(
            request(link.api, link.token, "/api/v1/incidents?limit=50")[0] for _ in range(20)
        )
        times = sorted(one(world, link, number) for number in range(RUNS))
    worst = times[-1]
    print(f"one API request, raw:         {raw * 1000:8.1f} ms")
    print(f"refusal → visible, median:    {statistics.median(times) * 1000:8.1f} ms")
    print(f"refusal → visible, worst:     {worst * 1000:8.1f} ms of {RUNS}")
    print(f"target < {TARGET:.0f} s: {'kept' if worst < TARGET else 'MISSED'}")


if __name__ == "__main__":
    main()
