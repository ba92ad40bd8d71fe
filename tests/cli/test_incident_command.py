"""``keepwall incident`` as a user runs it, with the control plane dead and alive."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keepwall.cli.main import run
from keepwall.foundation.bus.nats import NatsBus
from keepwall.foundation.bus.signed import SignedDocuments
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.store.store import Store
from keepwall.foundation.trust.trust import Trust
from keepwall.range.world import World
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Activity, Event, EventClass
from keepwall.vocabulary.incident import Incident, IncidentState, TimelineEntry
from keepwall.vocabulary.surface import Severity, Surface
from keepwall.workflows import connection
from keepwall.workflows.connection import Connection

Capture = pytest.CaptureFixture[str]
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ENVELOPE = """\
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: sleeper}
spec:
  planes: [runtime]
  minimumStrength: blind
  process: {allow: [/usr/bin/sleep]}
  file: {read: ["/usr/lib/**", /etc/ld.so.cache]}
"""
EVENT = Event(
    id="node:run:1",
    event_class=EventClass.FILE,
    activity=Activity.READ,
    at=AT,
    node="node",
    subject="run:claims",
    target="/home/ada/.aws/credentials",
    effect=Effect.DENY,
    plane=Plane.RUNTIME,
    tier=Tier.LANDLOCK,
    strength=Strength.PREVENTED,
    message="reading \x1b[2J is denied",
    envelope="claims",
    count=3,
)
INCIDENT = Incident(
    "inc-1",
    "Credentials were asked for",
    Severity.HIGH,
    Surface.AGENT,
    "run:claims",
    "a-detection",
    AT,
    events=("node:run:1", "node:run:2"),
    timeline=(
        TimelineEntry(AT, "detection", "a credential \x1b[2J was read", "node:run:1"),
        TimelineEntry(AT, "narrowing", "the path is closed", "claims#narrowed@2"),
    ),
)


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    monkeypatch.setenv("KEEPWALL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "160")
    return StateDirectory(tmp_path / "state")


@pytest.fixture
def known(state: StateDirectory) -> StateDirectory:
    """An installation with one open incident."""
    Trust.create(state.ensure().trust, "acme", SystemClock())
    with Store.open(state.database_url) as store:
        store.events.append([EVENT])
        store.incidents.open(INCIDENT)
        other = replace(INCIDENT, id="inc-0", state=IncidentState.CLOSED, events=(), timeline=())
        store.incidents.open(other)
    return state


def test_list(known: StateDirectory, capfd: Capture) -> None:
    assert known
    assert run(["incident", "list"]) == 0
    out = capfd.readouterr().out
    assert [line.split()[:3] for line in out.splitlines()[1:]] == [
        ["inc-0", "closed", "high"],
        ["inc-1", "open", "high"],
    ]
    assert run(["incident", "list", "--state", "open", "-f", "json"]) == 0
    (found,) = json.loads(capfd.readouterr().out)["incidents"]
    assert (found["id"], found["events"]) == ("inc-1", ["node:run:1", "node:run:2"])
    assert run(["incident", "list", "--state", "contained"]) == 0
    out, err = capfd.readouterr()
    assert (out, "no incident that is contained" in err) == ("", True)
    assert run(["incident", "list", "--state", "burning"]) == 2


def test_show(known: StateDirectory, capfd: Capture) -> None:
    assert known
    assert run(["incident", "show", "inc-1"]) == 0
    out = capfd.readouterr().out
    assert "\x1b" not in out
    for part in (
        "inc-1  Credentials were asked for",
        "containment  none was ordered",
        "2026-03-01 12:00:00  a credential \\x1b[2J was read",
        "node:run:1  reading \\x1b[2J is denied (prevented, 3 times)",
        "node:run:2  no longer stored",
        "keepwall incident contain inc-1",
        "keepwall envelope diff 'claims#narrowed@1' 'claims#narrowed@2'",
        "keepwall evidence export --about inc-1",
    ):
        assert part in out
    assert run(["incident", "show", "inc-9"]) == 2
    assert "keepwall incident list" in capfd.readouterr().err


def test_contain_and_release_without_a_control_plane(known: StateDirectory, capfd: Capture) -> None:
    assert run(["incident", "contain", "inc-1"]) == 0
    out, err = capfd.readouterr()
    assert out == "inc-1 contained run:claims\n"
    assert "no control plane ran: instances of run:claims that run now go on" in err
    assert "keepwall incident release inc-1" in err
    assert run(["incident", "contain", "run:claims"]) == 0
    assert capfd.readouterr().out == "inc-1 contained run:claims\n"  # the open one, not another
    assert run(["incident", "show", "inc-1"]) == 0
    assert "containment  stop since" in capfd.readouterr().out
    assert run(["incident", "contain", "inc-0"]) == 0
    assert run(["incident", "release", "inc-0"]) == 0
    assert "run:claims stays contained by inc-1" in capfd.readouterr().err
    assert run(["incident", "release", "inc-1"]) == 0
    out, err = capfd.readouterr()
    assert (out, "stays contained" in err) == ("inc-1 closed run:claims\n", False)
    assert run(["incident", "release", "inc-9"]) == 2
    assert run(["incident", "contain", "inc-9"]) == 2
    assert not known.connection.exists()


def test_nothing_is_made_where_nothing_is(state: StateDirectory, capfd: Capture) -> None:
    for arguments in (["contain", "run:x"], ["release", "inc-1"], ["show", "inc-1"]):
        assert run(["incident", *arguments]) == 2
        assert "hint: " in capfd.readouterr().err
    assert run(["incident", "list"]) == 0
    assert not state.root.exists()


def test_a_subject_can_be_contained_before_any_control_plane_ran(
    state: StateDirectory, capfd: Capture
) -> None:
    state.ensure()
    assert run(["incident", "contain", "run:x"]) == 0
    out, err = capfd.readouterr()
    assert out.endswith(" contained run:x\n")
    assert "nothing was ever seen of run:x" in err


@pytest.mark.real
def test_a_control_plane_that_died_without_a_word_is_done_without(
    known: StateDirectory, capfd: Capture
) -> None:
    stale = Connection("tls://127.0.0.1:1", "", "", "", "node", "", os.getpid())
    connection.write(known, replace(stale, api="http://127.0.0.1:1", token="x"))  # noqa: S106 - nobody listens there
    assert run(["incident", "contain", "inc-1"]) == 0
    assert "nobody answers at http://127.0.0.1:1; acting directly" in capfd.readouterr().err


@pytest.fixture
def world() -> Iterator[World]:
    with World() as made:
        (made.project / "sleeper.yaml").write_text(ENVELOPE)
        made.start_control_plane()
        deadline = time.monotonic() + 20
        while not ((link := connection.read(made.state)) and link.api):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield made


@pytest.mark.real
@pytest.mark.timeout(120)
def test_through_the_control_plane_a_running_subject_is_stopped(world: World) -> None:
    command = [sys.executable, "-m", "keepwall", "run", "-e", "sleeper.yaml", "--"]
    with subprocess.Popen(
        [*command, "/usr/bin/sleep", "60"],
        cwd=world.project,
        env=world.environment,
        stderr=subprocess.PIPE,
    ) as sleeper:
        time.sleep(2)
        assert sleeper.poll() is None
        done = world.keepwall("incident", "contain", "run:sleeper")
        assert done.code == 0, done.output
        assert " contained run:sleeper" in done.output
        assert "no control plane ran" not in done.output
        assert sleeper.wait(10) == 128 + signal.SIGKILL
    incident = next(
        word for line in done.output.splitlines() for word in line.split() if "inc-" in word
    )
    refused = world.keepwall("run", "-e", "sleeper.yaml", "--", "/usr/bin/sleep", "0")
    assert refused.code == 125
    assert f"is contained by incident {incident}" in refused.output
    released = world.keepwall("incident", "release", incident)
    assert released.output.splitlines()[0] == f"{incident} closed run:sleeper"
    assert world.keepwall("run", "-e", "sleeper.yaml", "--", "/usr/bin/sleep", "0").code == 0


@pytest.mark.real
@pytest.mark.timeout(120)
def test_the_token_is_asked_for_and_what_is_applied_reaches_the_bus(world: World) -> None:
    link = connection.read(world.state)
    assert link
    assert (world.state.connection.stat().st_mode & 0o777) == 0o600
    contained = world.keepwall("incident", "contain", "run:sleeper")
    assert contained.code == 0
    connection.write(world.state, replace(link, token="kw_wrong"))  # noqa: S106 - a wrong one
    done = world.keepwall("incident", "contain", "run:sleeper")
    assert done.code == 3
    assert "refused: You are not signed in." in done.output
    connection.write(world.state, link)
    applied = world.keepwall("envelope", "apply", "sleeper.yaml")
    assert "the bus did not take it" not in applied.output
    document = asyncio.run(on_the_bus(world.state, link))
    assert document is not None
    assert document.generation == 1
    assert document.body
    assert document.body["spec"] == ENVELOPE


async def on_the_bus(state: StateDirectory, link: Connection):
    tls = ssl.create_default_context(cafile=link.ca)
    tls.load_cert_chain(link.certificate, link.key)
    bus = await NatsBus.connect(link.url, tls)
    verifier = Trust.open(state.trust, SystemClock()).verifier()
    try:
        return await SignedDocuments(bus, SystemClock()).get(verifier, "envelopes", "sleeper")
    finally:
        await bus.close()
