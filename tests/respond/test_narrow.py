"""A narrowing only takes away, whatever it is composed with."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from keepwall.decide.composition import compose
from keepwall.formats.envelope.parse import parse
from keepwall.formats.envelope.render import render
from keepwall.respond.narrow import narrowed
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.envelope import Envelope
from keepwall.vocabulary.event import Activity, Event, EventClass

BROAD = parse(
    b"""
apiVersion: keepwall.dev/v1
kind: Envelope
metadata: {name: app}
spec:
  planes: [runtime, network]
  process: {allow: [/usr/bin/**]}
  file: {read: [/home/**], write: [/home/ada/work/**]}
  network: {egress: [{to: "*"}], listen: ["127.0.0.1:8080"]}
""",
    "app.yaml",
)


def step(activity: Activity, target: str) -> Event:
    return Event(
        id="n:r:1",
        event_class=EventClass.FILE,
        activity=activity,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        node="n",
        subject="run:app",
        target=target,
        effect=Effect.DENY,
        plane=Plane.RUNTIME,
        tier=Tier.LANDLOCK,
        strength=Strength.PREVENTED,
        message="",
    )


def effective(*path: Event) -> Envelope:
    return compose([BROAD, narrowed(None, "app", path)])


def test_a_credential_closes_its_whole_place() -> None:
    found = effective(step(Activity.READ, "/home/ada/.aws/credentials"))
    assert found.file is not None
    assert [rule.path for rule in found.file.deny] == ["/home/ada/.aws/**"]


def test_another_file_is_closed_by_itself() -> None:
    found = effective(step(Activity.READ, "/home/ada/plan.txt"))
    assert found.file is not None
    assert [rule.path for rule in found.file.deny] == ["/home/ada/plan.txt"]


@pytest.mark.parametrize(
    ("target", "peer"),
    [("203.0.113.5:443", "203.0.113.5"), ("[2001:db8::1]:8443", "2001:db8::1")],
)
def test_a_peer_is_closed_on_every_port(target: str, peer: str) -> None:
    found = effective(step(Activity.CONNECT, target))
    assert found.network is not None
    denied = [rule for rule in found.network.egress if rule.action is Effect.DENY]
    assert [(rule.peer, rule.ports) for rule in denied] == [(peer, ())]


def test_a_program_is_closed_and_the_rest_stays() -> None:
    found = effective(step(Activity.EXECUTE, "/usr/bin/curl"))
    assert found.process is not None
    assert [(rule.path, rule.action) for rule in found.process.allow] == [
        ("/usr/bin/**", Effect.ALLOW),
        ("/usr/bin/curl", Effect.DENY),
    ]
    assert found.file == BROAD.file


def test_what_is_no_address_closes_nothing() -> None:
    found = effective(step(Activity.CONNECT, "IPv4 datagrams (UDP)"))
    assert found.network is not None
    assert all(rule.action is not Effect.DENY for rule in found.network.egress)


def test_narrowings_add_up_and_survive_being_written() -> None:
    first = narrowed(None, "app", [step(Activity.READ, "/home/ada/.ssh/id_rsa")])
    second = narrowed(first, "app", [step(Activity.CONNECT, "203.0.113.5:1")])
    assert parse(render(second).encode(), "x") == second
    assert second.file is not None
    assert [rule.path for rule in second.file.deny] == ["/home/ada/.ssh/**"]
