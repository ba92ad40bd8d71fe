"""An event goes in; the incident, the orders, the narrower envelope and the evidence come out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keepwall.detect.detections import Detections
from keepwall.formats.envelope.parse import parse
from keepwall.foundation.bus.memory import MemoryBus
from keepwall.foundation.bus.snapshot import SnapshotDirectory
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.store.store import Store
from keepwall.foundation.trust.trust import Trust
from keepwall.prove.bundle import read_evidence
from keepwall.prove.record import EvidenceRecorder
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.envelope import Envelope
from keepwall.vocabulary.errors import IntegrityError
from keepwall.vocabulary.event import Activity, Event, EventClass, Process
from keepwall.vocabulary.incident import IncidentState
from keepwall.workflows.burn_the_path import BurnThePath
from keepwall.workflows.documents import Documents
from keepwall.workflows.standing_orders import standing_orders

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
ENVELOPE = b"""
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: notebook}
spec:
  planes: [runtime, network]
  file: {read: [/home/ada/**]}
  network: {egress: [{to: 203.0.113.0/24}]}
"""


class Ticking:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


class Installation:
    """Everything of an installation but its processes."""

    def __init__(self, root: Path) -> None:
        self.state = StateDirectory(root)
        self.clock = Ticking()
        trust = Trust.open_or_create(self.state.trust, "test", self.clock)
        self.ledger = Ledger(self.state.ledger / "control", trust.signer("ledger"), self.clock)
        self.store = Store.open(self.state.database_url)
        self.documents = Documents(
            self.store, SnapshotDirectory(self.state.snapshots), lambda: trust.signer("control")
        )
        self.notices: list[str] = []
        self.burn = BurnThePath(
            store=self.store,
            documents=self.documents,
            detections=Detections.load(),
            evidence=EvidenceRecorder(self.ledger, self.clock),
            clock=self.clock,
            notify=lambda kind, _number, _data: self.notices.append(kind),
        )

    def orders(self) -> tuple[Envelope, int, str]:
        found = standing_orders(parse(ENVELOPE, "notebook.yaml"), self.state, self.clock)
        incident = found.containment.incident if found.containment else ""
        return found.envelope, found.generation, incident

    def controls(self) -> list[str]:
        return [each.evidence.control for _, each in read_evidence(self.ledger)]


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path)
    with made.ledger, made.store:
        yield made


def event(number: int, target: str, activity: Activity = Activity.READ) -> Event:
    network = activity is Activity.CONNECT
    return Event(
        id=f"node:run:{number}",
        event_class=EventClass.NETWORK if network else EventClass.FILE,
        activity=activity,
        at=NOW,
        node="node",
        subject="run:notebook",
        target=target,
        effect=Effect.DENY if network else Effect.AUDIT,
        plane=Plane.NETWORK if network else Plane.RUNTIME,
        tier=Tier.BROKER,
        strength=Strength.PREVENTED if network else Strength.SEEN_ONLY,
        message=f"{activity} {target}",
        process=Process(7, "/usr/bin/python3", "python3", "ada", 99),
        envelope="notebook",
    )


async def test_a_theft_ends_contained_narrowed_and_proven(installation: Installation) -> None:
    burn = installation.burn
    sent = event(1, "203.0.113.9:443", Activity.CONNECT)
    assert await burn.take([sent, event(2, "/home/ada/.aws/credentials")]) == 2
    incident = installation.store.incidents.list()[0]
    assert incident.state is IncidentState.CONTAINED
    assert [entry.kind for entry in incident.timeline] == ["detection", "containment", "narrowing"]
    envelope, generation, contained = installation.orders()
    assert contained == incident.id
    assert generation == 1
    assert envelope.file is not None
    assert [rule.path for rule in envelope.file.deny] == ["/home/ada/.aws/**"]
    assert [rule.path for rule in envelope.file.read] == ["/home/ada/**"]
    assert envelope.network is not None
    denied = [rule.peer for rule in envelope.network.egress if rule.action is Effect.DENY]
    assert denied == ["203.0.113.9"]
    assert installation.controls() == ["incident.opened", "containment", "envelope.narrowed"]
    assert installation.notices.count("event") == 2


async def test_events_that_are_known_change_nothing(installation: Installation) -> None:
    stolen = event(1, "/home/ada/.aws/credentials")
    assert await installation.burn.take([stolen]) == 1
    before = installation.controls()
    assert await installation.burn.take([stolen]) == 0
    assert installation.controls() == before
    assert len(installation.store.incidents.list()) == 1


async def test_a_crash_between_storing_and_answering_leaves_nothing_unanswered(
    installation: Installation,
) -> None:
    installation.store.events.append([event(1, "/home/ada/.aws/credentials")])  # then kill -9
    await installation.burn.answer_pending()
    incident = installation.store.incidents.list()[0]
    assert incident.state is IncidentState.CONTAINED
    assert installation.orders()[1:] == (1, incident.id)


async def test_an_answer_given_twice_changes_nothing(installation: Installation) -> None:
    await installation.burn.take([event(1, "/home/ada/.aws/credentials")])
    before = installation.orders(), installation.store.incidents.list()
    installation.store.settings.delete("burn-the-path.answered")  # as if killed before it was set
    await installation.burn.answer_pending()
    assert (installation.orders(), installation.store.incidents.list()) == before
    await installation.burn.release(before[1][0].id)
    installation.store.settings.delete("burn-the-path.answered")
    await installation.burn.answer_pending()
    assert installation.orders()[2] == ""


async def test_harmless_events_open_nothing(installation: Installation) -> None:
    await installation.burn.take([event(1, "/home/ada/data.csv")])
    assert installation.store.incidents.list() == []
    assert installation.orders()[1:] == (0, "")


async def test_release_lets_it_start_but_keeps_the_path_closed(
    installation: Installation,
) -> None:
    await installation.burn.take([event(1, "/home/ada/.ssh/id_ed25519")])
    incident = installation.store.incidents.list()[0].id
    await installation.burn.release(incident)
    envelope, generation, contained = installation.orders()
    assert contained == ""
    assert generation == 1
    assert envelope.file is not None
    assert [rule.path for rule in envelope.file.deny] == ["/home/ada/.ssh/**"]
    found = installation.store.incidents.get(incident)
    assert found is not None
    assert found.state is IncidentState.CLOSED


async def test_a_second_theft_narrows_further(installation: Installation) -> None:
    await installation.burn.take([event(1, "/home/ada/.ssh/id_ed25519")])
    await installation.burn.release(installation.store.incidents.list()[0].id)
    await installation.burn.take([event(2, "/home/ada/.aws/credentials")])
    envelope, generation, contained = installation.orders()
    assert generation == 2
    assert contained
    assert envelope.file is not None
    assert {rule.path for rule in envelope.file.deny} == {
        "/home/ada/.ssh/**",
        "/home/ada/.aws/**",
    }


async def test_a_release_of_nothing_says_so(installation: Installation) -> None:
    with pytest.raises(IntegrityError, match="no incident inc-none"):
        await installation.burn.release("inc-none")


async def test_orders_reach_a_bus_that_comes_later(installation: Installation) -> None:
    await installation.burn.take([event(1, "/home/ada/.aws/credentials")])
    bus = MemoryBus()
    await installation.documents.attach(bus)
    entry = await bus.get("envelopes", "notebook=23narrowed")
    assert entry is not None
    assert entry.value
    await bus.close()


async def test_an_order_that_was_changed_on_disk_stops_every_start(
    installation: Installation,
) -> None:
    await installation.burn.take([event(1, "/home/ada/.aws/credentials")])
    written = next((installation.state.snapshots / "containments").glob("inc-*.json"))
    data = bytearray(written.read_bytes())
    data[len(data) // 2] ^= 1
    written.write_bytes(data)
    with pytest.raises(IntegrityError, match="does not hold"):
        installation.orders()


async def test_another_subject_is_not_touched(installation: Installation) -> None:
    other = replace(event(1, "/home/ada/.aws/credentials"), subject="run:other", envelope="other")
    await installation.burn.take([other])
    assert installation.orders()[1:] == (0, "")
