"""`keepwall up` as a process: busy port, kill -9 at any moment, order at the end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keepwall.foundation.clock import SystemClock
from keepwall.foundation.ledger.log import LedgerLog
from keepwall.foundation.spool import Spool
from keepwall.foundation.store.store import Store
from keepwall.foundation.trust.trust import Trust
from keepwall.range.world import World
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Activity, Event, EventClass, Process

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        yield made


def stolen(run: str, number: int) -> Event:
    return Event(
        id=f"node:{run}:{number}",
        event_class=EventClass.FILE,
        activity=Activity.READ,
        at=datetime.now(UTC),
        node="node",
        subject=f"run:{run}",
        target=f"/home/user{number}/.aws/credentials",
        effect=Effect.AUDIT,
        plane=Plane.RUNTIME,
        tier=Tier.SECCOMP,
        strength=Strength.SEEN_ONLY,
        message="reading a credential was let through and watched",
        process=Process(7, "/usr/bin/python3", "python3", "ada", 99),
        envelope=run,
    )


def spooled(world: World, run: str, count: int) -> None:
    spool = Spool(world.state.ensure().spool, run)
    for number in range(count):
        spool.emit(stolen(run, number))
    spool.close()


def test_a_busy_port_is_said_and_leaves_the_other_alone(world: World) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        finished = world.keepwall("up", "--port", port, timeout=60)
    assert finished.code == 3
    assert f"port {port} on 127.0.0.1 is taken" in finished.output
    assert "--port" in finished.output


def test_a_second_control_plane_on_the_same_state_is_refused(world: World) -> None:
    world.start_control_plane()
    finished = world.keepwall("up", "--port", "0", timeout=60)
    assert finished.code != 0
    assert "hint" in finished.output
    assert world.state.connection.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_in_order_when_told_to(world: World, number: signal.Signals) -> None:
    world.start_control_plane()
    world.kill_control_plane(number)
    assert not world.state.connection.exists()
    log = (world.root / "up.log").read_text()
    assert "Traceback" not in log
    assert "eof_received" not in log


def test_kill_9_at_any_moment_leaves_store_and_ledger_whole(world: World) -> None:
    rounds = 6
    for number in range(rounds):
        spooled(world, f"round-{number}", 40)
        world.start_control_plane()
        time.sleep(0.02 + 0.15 * number)
        world.kill_control_plane(signal.SIGKILL)
    world.start_control_plane()
    deadline = time.monotonic() + 60
    with Store.open(world.state.database_url) as store:
        while store.events.count() < rounds * 40 and time.monotonic() < deadline:
            time.sleep(0.1)
        world.kill_control_plane(signal.SIGTERM)
        assert store.events.count() == rounds * 40
        incidents = store.incidents.list()
        assert {incident.subject for incident in incidents} == {
            f"run:round-{number}" for number in range(rounds)
        }
    trust = Trust.open(world.state.trust, SystemClock())
    log = LedgerLog(world.state.ledger / "control", trust.verifier())
    assert log.check() == log.size
    opened = [
        json.loads(record)["about"]
        for _, record in log.records()
        if json.loads(record)["control"] == "incident.opened"
    ]
    assert set(opened) == {incident.id for incident in incidents}


def test_the_console_password_is_printed_once_and_works_without_a_terminal(
    world: World, tmp_path: Path
) -> None:
    world.start_control_plane()
    said = (world.root / "up.log").read_text()
    assert said.count("Password: ") == 1
    assert "Console:  http://127.0.0.1:" in said
    password = said.split("Password: ")[1].split()[0]
    files = [path for path in world.state.root.rglob("*") if path.is_file()]
    assert all(password.encode() not in path.read_bytes() for path in files)
    del tmp_path


def test_containing_stops_what_runs_with_the_control_plane_dead(world: World) -> None:
    world.start_control_plane()
    world.kill_control_plane(signal.SIGKILL)
    program = str(Path(sys.executable).resolve())
    envelope = world.root / "sleeper.yaml"
    envelope.write_text(
        "apiVersion: keepwall.dev/v1\nkind: Envelope\nmetadata: {name: sleeper}\n"
        "spec:\n  planes: [runtime]\n  minimumStrength: killed-late\n"
        f'  process: {{allow: ["{program}"]}}\n'
        f'  file: {{read: [/usr/**, /etc/**, "{sys.base_prefix}/**"]}}\n'
    )
    command = ["run", "-e", str(envelope), "--", program, "-c", "import time; time.sleep(60)"]
    run = subprocess.Popen(
        [sys.executable, "-m", "keepwall", *command],
        cwd=world.project,
        env=world.environment,
        stderr=subprocess.PIPE,
    )
    time.sleep(1.0)
    assert run.poll() is None
    ordered = world.keepwall("incident", "contain", "run:sleeper")
    assert ordered.code == 0, ordered.output
    _, said = run.communicate(timeout=5)
    assert run.returncode == 137
    assert b"contains run:sleeper" in said
    again = world.keepwall(*command)
    assert again.code == 125


def test_up_answers_help_without_starting_anything(world: World) -> None:
    finished = subprocess.run(
        [sys.executable, "-m", "keepwall", "up", "--help"],
        env=world.environment,
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert finished.returncode == 0
    assert not world.state.root.exists()
