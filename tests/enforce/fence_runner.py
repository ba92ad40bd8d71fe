"""Runs one command inside a fence, with the standard library and keepwall's own code alone.

A program, not a test: `fence_runner.py SPEC.json COMMAND...`. It stands apart so that tests can run
it as another user, and because a supervisor ends all children of its process.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from keepwall.enforce.runtime import launch, probe
from keepwall.enforce.runtime.compile import plan
from keepwall.enforce.runtime.report import Reporter
from keepwall.enforce.runtime.supervisor import Supervisor
from keepwall.foundation.clock import SystemClock
from keepwall.vocabulary.decision import Effect, Plane
from keepwall.vocabulary.envelope import (
    AddressRule,
    Envelope,
    FileSection,
    Mode,
    NetworkSection,
    PathRule,
    ProcessSection,
)
from keepwall.vocabulary.event import Event


class _Lines:
    """Writes one JSON line for each event."""

    def __init__(self, path: str) -> None:
        self._file = Path(path).open("a", buffering=1, encoding="utf-8")  # noqa: SIM115 - lives as long as the run

    def emit(self, event: Event) -> None:
        self._file.write(json.dumps(asdict(event), default=str) + "\n")


def _paths(spec: dict[str, Any], key: str) -> tuple[PathRule, ...]:
    return tuple(PathRule(path) for path in spec.get(key, ()))


def _addresses(spec: dict[str, Any], key: str) -> tuple[AddressRule, ...]:
    return tuple(AddressRule(peer, tuple(ports)) for peer, ports in spec.get(key, ()))


def envelope(spec: dict[str, Any]) -> Envelope:
    """Return the envelope that a test described as plain lists."""
    default = Effect(spec.get("default", "deny"))
    return Envelope(
        name="test",
        planes=tuple(Plane(each) for each in spec.get("planes", ("runtime", "network"))),
        mode=Mode(spec.get("mode", "enforce")),
        process=ProcessSection(_paths(spec, "execute"), tuple(spec.get("capabilities", ()))),
        file=FileSection(
            _paths(spec, "read"), _paths(spec, "write"), _paths(spec, "deny"), default=default
        ),
        network=NetworkSection(_addresses(spec, "egress"), (), _addresses(spec, "listen")),
    )


def main() -> int:
    """Run the command; return its exit code, 128 + n for signal n."""
    spec = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    support = probe.support()
    if "landlock" in spec:  # as an older kernel would offer it
        support = replace(support, landlock=spec["landlock"])
    compiled = plan(envelope(spec), support)
    reporter = Reporter(
        compiled.envelope,
        0,
        _Lines(spec["events"]),
        SystemClock(),
        node="node",
        say=lambda line: print(line, file=sys.stderr, flush=True),
    )
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    started = launch.start(sys.argv[2:], compiled, os.environ)
    supervisor = Supervisor.of(compiled, started, reporter)
    if "contain_after" in spec:
        timer = threading.Timer(spec["contain_after"], supervisor.contain)
        timer.daemon = True
        timer.start()
    status = supervisor.serve()
    reporter.close()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
