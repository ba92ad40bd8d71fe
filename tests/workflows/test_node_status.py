"""What a node says of its planes: merged over its runs, signed, and never more than was reached."""

from __future__ import annotations

import asyncio
import json
import ssl
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keepwall.enforce.runtime.compile import plan
from keepwall.enforce.runtime.plan import HostSupport
from keepwall.foundation.bus.memory import MemoryBus
from keepwall.foundation.bus.nats import NatsBus
from keepwall.foundation.bus.signed import SignedDocuments, document_name, seal
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.trust.signer import installed_signer
from keepwall.foundation.trust.trust import Trust
from keepwall.foundation.trust.verify import Verifier
from keepwall.range.world import World
from keepwall.vocabulary.decision import Plane, Strength
from keepwall.vocabulary.envelope import (
    Envelope,
    FileSection,
    Mode,
    NetworkSection,
    PathRule,
    ProcessSection,
)
from keepwall.vocabulary.errors import IntegrityError
from keepwall.workflows import connection
from keepwall.workflows.node_status import FRESH, NodeStatus, RunStatus, merged, reached

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MINE = RunStatus(
    "7-1", "run:app", 4, {Plane.RUNTIME: Strength.PREVENTED, Plane.NETWORK: Strength.BLIND}
)


def entry(strength: str, generation: int, at: datetime = NOW, subject: str = "run:b") -> str:
    return f"{strength} {generation} {at.isoformat()} {subject}"


def test_a_node_is_as_strong_as_its_weakest_run():
    alone = merged("n", Plane.RUNTIME, MINE, {}, NOW)
    assert (alone.node, alone.plane, alone.generation, alone.strength) == (
        *("n", "runtime", 4),
        Strength.PREVENTED,
    )
    both = merged("n", Plane.RUNTIME, MINE, {"8-1": entry("killed-late", 2)}, NOW)
    assert (both.generation, both.strength) == (2, Strength.KILLED_LATE)
    assert set(both.detail) == {"7-1", "8-1"}
    assert merged("n", Plane.NETWORK, MINE, {}, NOW).strength is Strength.BLIND


@pytest.mark.parametrize(
    "text",
    [
        entry("killed-late", 2, NOW - FRESH - timedelta(seconds=1)),
        entry("killed-late", 2, NOW + FRESH + timedelta(seconds=1)),
        entry("stronger", 2),
        "killed-late x 2026 s",
        "killed-late 2 2026-05-01T12:00:00 no-zone",
        "",
        "x" * 100,
    ],
)
def test_runs_that_are_gone_and_what_is_no_run_do_not_count(text: str):
    found = merged("n", Plane.RUNTIME, MINE, {"8-1": text}, NOW)
    assert list(found.detail) == ["7-1"]
    assert found.strength is Strength.PREVENTED


def test_the_detail_stays_bounded():
    many = {str(n): entry("prevented", 9, NOW - timedelta(seconds=1)) for n in range(500)}
    found = merged("n", Plane.RUNTIME, MINE, many, NOW)
    assert len(found.detail) == 100
    assert "7-1" in found.detail


def test_strength_is_never_more_than_was_reached():
    envelope = Envelope(
        "app",
        (Plane.RUNTIME, Plane.NETWORK),
        process=ProcessSection(allow=(PathRule("/usr/bin/true"),)),
        file=FileSection(read=(PathRule("/etc/hostname"),)),
        network=NetworkSection(),
    )
    full = HostSupport(landlock=7, notify=True)
    assert reached(plan(envelope, full)) == {
        Plane.RUNTIME: Strength.KILLED_LATE,
        Plane.NETWORK: Strength.PREVENTED,
    }
    assert set(reached(plan(envelope, HostSupport(0, notify=False))).values()) == {Strength.BLIND}
    watching = replace(envelope, mode=Mode.OBSERVE)
    assert set(reached(plan(watching, full)).values()) == {Strength.SEEN_ONLY}
    alone = replace(envelope, planes=(Plane.RUNTIME,))
    assert reached(plan(alone, full))[Plane.NETWORK] is Strength.BLIND


def test_a_forged_status_gives_way_and_a_true_one_rises(tmp_path: Path):
    clock = SystemClock()
    trust = Trust.create(tmp_path / "trust", "Test", clock)
    signer, stranger = trust.signer("node/n"), trust.signer("node/other")
    verifier = Verifier(trust.root_public)

    async def scenario() -> tuple[int, int]:
        bus = MemoryBus()
        forged = seal(stranger, "status", "n/runtime", 9, {"node": "n"})
        await bus.put("status", document_name("n/runtime"), forged)
        documents = SignedDocuments(bus, clock)
        with pytest.raises(IntegrityError):
            await documents.get(verifier, "status", "n/runtime")
        generations = []
        for run in ("1-1", "2-2"):
            status = NodeStatus("n", replace(MINE, run=run), signer, verifier, clock)
            task = asyncio.create_task(status.publish(bus))
            await asyncio.sleep(0.05)
            task.cancel()
            found = await documents.get(verifier, "status", "n/runtime")
            assert found is not None
            assert found.body is not None
            assert run in found.body["detail"]
            generations.append(found.generation)
        assert set(found.body["detail"]) == {"1-1", "2-2"}
        return generations[0], generations[1]

    first, second = asyncio.run(scenario())
    assert second > first > 9


def test_the_key_of_a_node_is_read_without_the_root(tmp_path: Path):
    trust = Trust.create(tmp_path / "trust", "Test", SystemClock())
    assert installed_signer(tmp_path / "trust", "node/n") is None
    made = trust.signer("node/n")
    (tmp_path / "trust/root.key").unlink()
    found = installed_signer(tmp_path / "trust", "node/n")
    assert found is not None
    assert found.key_id == made.key_id
    key = tmp_path / "trust/keys/node~n.json"
    key.rename(tmp_path / "trust/keys/node~m.json")
    with pytest.raises(IntegrityError, match="another role"):
        installed_signer(tmp_path / "trust", "node/m")


@pytest.mark.real
@pytest.mark.timeout(120)
def test_a_run_that_is_connected_publishes_the_status_of_its_node():
    with World() as world:
        world.start_control_plane()
        trees = json.dumps(["/usr/**", "/lib/**", "/lib64/**", "/bin/**", "/etc/**"])
        (world.project / "app.yaml").write_text(
            "apiVersion: keepwall.dev/v1\nkind: Envelope\nmetadata: {name: app}\nspec:\n"
            "  planes: [runtime]\n  minimumStrength: killed-late\n"
            f"  process: {{allow: {trees}}}\n  file: {{read: {trees}, write: []}}\n"
        )
        command = [sys.executable, "-m", "keepwall", "run", "-e", "app.yaml", "--", "sleep", "60"]
        running = subprocess.Popen(command, cwd=world.project, env=world.environment)
        try:
            bodies = asyncio.run(_statuses(world))
        finally:
            running.terminate()
            running.wait(20)
        runtime, network = bodies
        assert runtime["strength"] == "killed-late"
        assert network["strength"] == "blind"
        assert runtime["generation"] == 0
        (said,) = runtime["detail"].values()
        assert said.endswith(" run:app")
        age = datetime.now(UTC) - datetime.fromisoformat(runtime["at"])
        assert age < timedelta(seconds=60)


async def _statuses(world: World) -> list[dict[str, object]]:
    """Return the bodies of both documents as a node reads them, once they are there."""
    link = connection.read(world.state)
    assert link is not None
    tls = ssl.create_default_context(cafile=link.ca)
    tls.load_cert_chain(link.certificate, link.key)
    bus = await NatsBus.connect(link.url, tls, name="test")
    try:
        documents = SignedDocuments(bus, SystemClock())
        verifier = Verifier(bytes.fromhex(link.root))
        found = []
        end = time.monotonic() + 30
        for plane in ("runtime", "network"):
            while (each := await documents.get(verifier, "status", f"{link.node}/{plane}")) is None:
                assert time.monotonic() < end, "no status was published"
                await asyncio.sleep(0.1)
            found.append(dict(each.body or {}))
        return found
    finally:
        await bus.close()
