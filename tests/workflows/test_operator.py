"""A person at the command line, with the control plane dead."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keepwall.formats.envelope.render import render
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.ledger.log import LedgerLog
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.trust.trust import Trust
from keepwall.respond.narrow import narrowed
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.envelope import Envelope, FileSection, PathRule
from keepwall.vocabulary.errors import ConfigError, ConnectError, IntegrityError
from keepwall.vocabulary.event import Activity, Event, EventClass
from keepwall.vocabulary.incident import ContainmentLevel, IncidentState
from keepwall.workflows.operator import Operator, at_work
from keepwall.workflows.standing_orders import standing_orders

ONE = Envelope("claims", (Plane.RUNTIME,), file=FileSection(read=(PathRule("/a/**"),)))
TWO = replace(ONE, file=FileSection(read=(PathRule("/a/b"),)))


@dataclass
class Steps:
    """A clock that moves on by a second whenever it is asked."""

    at: datetime = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        self.at += timedelta(seconds=1)
        return self.at


@dataclass
class Desk:
    """An installation, and what the operator was told."""

    state: StateDirectory
    clock: Steps = field(default_factory=Steps)
    said: list[str] = field(default_factory=list)

    def at_work(self):
        return at_work(self.state, self.clock, self.said.append)

    def publish(self, envelope: Envelope, uid: str = "claims") -> int:
        with self.at_work() as operator:
            document = asyncio.run(operator.publish(uid, render(envelope), "test"))
        return document.generation

    def evidence(self) -> list[dict[str, object]]:
        trust = Trust.open(self.state.trust, self.clock)
        log = LedgerLog(self.state.ledger / "control", trust.verifier())
        return [json.loads(record) for _, record in log.records()]


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(StateDirectory(tmp_path / "state"))


def stolen() -> Event:
    return Event(
        id="node:run:1",
        event_class=EventClass.FILE,
        activity=Activity.READ,
        at=datetime(2026, 3, 1, tzinfo=UTC),
        node="node",
        subject="run:claims",
        target="/home/ada/.aws/credentials",
        effect=Effect.DENY,
        plane=Plane.RUNTIME,
        tier=Tier.LANDLOCK,
        strength=Strength.PREVENTED,
        message="refused",
        envelope="claims",
    )


def test_what_is_published_binds_the_next_run(desk: Desk) -> None:
    assert standing_orders(ONE, desk.state, desk.clock).generation == 0
    assert desk.publish(TWO) == 1
    orders = standing_orders(ONE, desk.state, desk.clock)
    assert orders.generation == 1
    assert orders.envelope.file
    assert [rule.path for rule in orders.envelope.file.read] == ["/a/b"]
    assert desk.publish(ONE) == 2
    with desk.at_work() as operator:
        newest = operator.published.newest("claims")
    assert newest is not None
    assert (newest.name, newest.envelope, newest.document.reason) == ("claims@2", ONE, "test")


def test_a_rollback_is_a_new_generation_with_old_content(desk: Desk) -> None:
    for envelope in (ONE, TWO):
        desk.publish(envelope)
    with desk.at_work() as operator:
        document = asyncio.run(operator.roll_back("claims", 1))
        assert (document.generation, document.reason) == (3, "rolled back to 1")
        assert operator.published.generation("claims", 3).envelope == ONE
        assert operator.published.numbers("claims") == [3, 2, 1]
        with pytest.raises(ConfigError, match="no generation 9"):
            asyncio.run(operator.roll_back("claims", 9))
        with pytest.raises(ConfigError, match="no envelope was published as other"):
            asyncio.run(operator.roll_back("other", 1))
        with pytest.raises(ConfigError, match="no generation 0"):
            asyncio.run(operator.roll_back("claims", 0))


def test_rolling_back_leaves_what_incidents_have_closed(desk: Desk) -> None:
    closing = narrowed(None, "claims", [stolen()])
    desk.publish(closing, "claims#narrowed")
    desk.publish(ONE)
    desk.publish(TWO)
    with desk.at_work() as operator:
        asyncio.run(operator.roll_back("claims", 1))
    orders = standing_orders(ONE, desk.state, desk.clock)
    assert orders.envelope.file
    assert [rule.path for rule in orders.envelope.file.deny] == ["/home/ada/.aws/**"]
    with desk.at_work() as operator:
        asyncio.run(operator.roll_back("claims#narrowed", 0))
    orders = standing_orders(ONE, desk.state, desk.clock)
    assert orders.envelope.file
    assert orders.envelope.file.deny == ()
    assert [rule.path for rule in orders.envelope.file.read] == ["/a/**"]


def test_what_was_changed_in_the_store_is_not_signed_again(desk: Desk) -> None:
    desk.publish(ONE)
    desk.publish(TWO)
    with desk.at_work() as operator:
        operator.store.documents.put("envelopes", "claims", 3, forged(operator))
        with pytest.raises(IntegrityError):
            asyncio.run(operator.roll_back("claims", 3))
        with pytest.raises(IntegrityError):
            operator.published.latest()


def forged(operator: Operator) -> bytes:
    """Return a document that another installation signed."""
    elsewhere = Desk(StateDirectory(operator.state.root / "elsewhere"))
    elsewhere.publish(ONE)
    with elsewhere.at_work() as other:
        found = other.store.documents.get("envelopes", "claims")
    assert found
    return found[1]


def test_an_old_generation_cannot_pass_for_another(desk: Desk) -> None:
    desk.publish(ONE)
    with desk.at_work() as operator:
        found = operator.store.documents.get("envelopes", "claims")
        assert found
        operator.store.documents.put("envelopes", "claims", 2, found[1])
        with pytest.raises(IntegrityError, match="claims@2 in the store is generation 1"):
            operator.published.newest("claims")


def test_what_is_no_envelope_is_not_published(desk: Desk) -> None:
    with desk.at_work() as operator:
        with pytest.raises(ConfigError):
            asyncio.run(operator.publish("claims", "kind: Pod", "test"))
        assert operator.published.latest() == []


def test_containing_a_subject_works_without_a_control_plane(desk: Desk) -> None:
    with desk.at_work() as operator:
        order = asyncio.run(operator.contain("run:claims"))
        assert order.direct
        assert order.incident.state is IncidentState.CONTAINED
        again = asyncio.run(operator.contain("run:claims"))
        assert again.incident.id == order.incident.id
        containment = operator.published.containment(order.incident.id)
    assert containment is not None
    assert (containment.subject, containment.level) == ("run:claims", ContainmentLevel.STOP)
    assert any("nothing was ever seen of run:claims" in each for each in desk.said)
    held = standing_orders(ONE, desk.state, desk.clock).containment
    assert held is not None
    assert held.incident == order.incident.id
    assert [(each["control"], each["strength"]) for each in desk.evidence()][-1] == (
        "containment",
        "killed-late",
    )


def test_releasing_lets_it_start_again(desk: Desk) -> None:
    with desk.at_work() as operator:
        order = asyncio.run(operator.contain("run:claims"))
        released = asyncio.run(operator.release(order.incident.id))
        assert released.incident.state is IncidentState.CLOSED
        assert [each.level for each in operator.published.containments("run:claims")] == [
            ContainmentLevel.RELEASED
        ]
        assert standing_orders(ONE, desk.state, desk.clock).containment is None
        another = asyncio.run(operator.contain("run:claims"))
        assert another.incident.id != order.incident.id
        with pytest.raises(ConfigError, match="no incident nope"):
            asyncio.run(operator.release("nope"))
    assert "release" in [each["control"] for each in desk.evidence()]


@pytest.mark.parametrize("target", ["inc-20260301-00000000", "claims", ""])
def test_what_is_no_subject_is_not_contained(desk: Desk, target: str) -> None:
    with desk.at_work() as operator, pytest.raises(ConfigError, match="no incident here"):
        asyncio.run(operator.contain(target))


def test_a_known_subject_is_contained_without_a_warning(desk: Desk) -> None:
    with desk.at_work() as operator:
        operator.store.events.append([stolen()])
        asyncio.run(operator.contain("run:claims"))
    assert desk.said == []


def test_nothing_is_done_beside_another_writer(desk: Desk) -> None:
    with desk.at_work() as operator:
        signer = operator.trust.signer("ledger")
        with (
            Ledger(desk.state.ledger / "control", signer, desk.clock),
            pytest.raises(ConnectError, match="does not answer") as caught,
        ):
            asyncio.run(operator.contain("run:claims"))
        assert "keepwall up" in caught.value.hint
        assert operator.published.containments("run:claims") == []


def test_keys_that_are_gone_are_not_replaced(desk: Desk) -> None:
    desk.publish(ONE)
    desk.state.trust.rename(desk.state.root / "lost")
    with pytest.raises(ConfigError, match="no installation keys"), desk.at_work():
        pass
    assert not desk.state.trust.exists()
