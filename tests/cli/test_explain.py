"""``keepwall explain``."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from keepwall.cli.main import run
from keepwall.foundation.store.store import Store
from keepwall.rulebook.book import Rulebook
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Activity, Event, EventClass, Process
from keepwall.vocabulary.incident import Incident, TimelineEntry
from keepwall.vocabulary.surface import Severity, Surface

AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("KEEPWALL_STATE", str(tmp_path))
    event = Event(
        id="node-1:boot:7",
        event_class=EventClass.FILE,
        activity=Activity.READ,
        at=AT,
        node="node-1",
        subject="spiffe://acme.example/agent/claims",
        target="/models/claims/training/a\x1b[2J.csv",
        effect=Effect.DENY,
        plane=Plane.RUNTIME,
        tier=Tier.LANDLOCK,
        strength=Strength.PREVENTED,
        message="read of training data refused",
        process=Process(4711, "/usr/bin/python3.11", "python agent.py", "claims", 99),
        rule="file.deny[0]",
        envelope="claims-agent",
        generation=3,
        count=2,
    )
    incident = Incident(
        "inc-1",
        "Training data was asked for",
        Severity.HIGH,
        Surface.AGENT,
        event.subject,
        "KD-AGE-001",
        AT,
        events=(event.id,),
        timeline=(TimelineEntry(AT, "event", "the read was refused", event.id),),
    )
    path = f"sqlite:///{tmp_path / 'keepwall.db'}"
    with Store.open(path) as store:
        store.events.append([event])
        store.incidents.open(incident)
    return path


def test_every_rule_is_explained(capfd: pytest.CaptureFixture[str]) -> None:
    for rule in Rulebook.load().rules:
        assert run(["explain", rule.id.lower()]) == 0
        out = capfd.readouterr().out
        for part in (rule.id, rule.title, "Why", "Fix", "Fails, for example", "Passes, for"):
            assert part in out, rule.id
        assert max(map(len, out.splitlines()[2:])) <= 100, rule.id


def test_event(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert url
    assert run(["explain", "node-1:boot:7"]) == 0
    out = capfd.readouterr().out
    assert "tried to read /models/claims/training/a\\x1b[2J.csv" in out
    assert "deny: prevented by runtime (landlock)" in out
    assert "rule file.deny[0] of envelope claims-agent, generation 3" in out
    assert "2 times" in out


def test_incident(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "inc-1", "--store", url]) == 0
    out = capfd.readouterr().out
    assert "2026-03-01 12:00:00  the read was refused" in out
    assert "node-1:boot:7" in out


def test_unknown(url: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert url
    assert run(["explain", "nothing\x1b[2J"]) == 2
    assert capfd.readouterr().err.startswith("keepwall: nothing is known as nothing\\x1b[2J\nhint")


def test_nothing_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KEEPWALL_STATE", str(tmp_path / "none"))
    assert run(["explain", "inc-1"]) == 2
    assert "nothing is stored on this machine" in capfd.readouterr().err
    assert not (tmp_path / "none").exists()
