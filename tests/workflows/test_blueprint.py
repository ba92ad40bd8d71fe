"""The blueprint: each phase ends by its test, and what nobody knows is unknown."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keepwall.cli.main import VERBS
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Activity, Event, EventClass
from keepwall.vocabulary.incident import Incident, IncidentState, TimelineEntry
from keepwall.vocabulary.scan import ScanInfo, ScanResult
from keepwall.vocabulary.surface import Severity, Surface
from keepwall.workflows.blueprint import Passed, Standing, blueprint, current, standing

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SCAN = ScanInfo("scan", "repo", NOW, NOW, "1", files=200)
REFUSED = Event(
    "node:1",
    EventClass.FILE,
    Activity.READ,
    NOW,
    "node",
    "run:x",
    "/etc/shadow",
    Effect.DENY,
    Plane.RUNTIME,
    Tier.LSM,
    Strength.PREVENTED,
    "refused",
)


def passed(seen: Standing) -> dict[str, Passed]:
    return {phase.id: phase.passed for phase in blueprint(seen)}


def test_an_empty_installation_is_in_the_first_phase() -> None:
    phases = blueprint(Standing(NOW))
    assert [phase.id for phase in phases] == [
        "inventory",
        "posture",
        "gates",
        "enforcement",
        "detection",
        "compliance",
    ]
    first = current(phases)
    assert first is not None
    assert (first.id, first.because) == ("inventory", "nothing has been scanned")


@pytest.mark.parametrize(
    ("seen", "phase", "answer"),
    [
        (Standing(NOW, (SCAN,)), "inventory", Passed.YES),
        (Standing(NOW, (SCAN,), unread=2), "inventory", Passed.YES),
        (Standing(NOW, (SCAN,), unread=3), "inventory", Passed.NO),
        (Standing(NOW + timedelta(hours=25), (SCAN,)), "inventory", Passed.NO),
        (Standing(NOW, (replace(SCAN, files=0),)), "inventory", Passed.YES),
        (Standing(NOW), "posture", Passed.UNKNOWN),
        (Standing(NOW, (SCAN,)), "posture", Passed.YES),
        (Standing(NOW, (SCAN,), serious=1), "posture", Passed.NO),
        (Standing(NOW), "gates", Passed.UNKNOWN),
        (Standing(NOW), "enforcement", Passed.NO),
        (Standing(NOW, envelopes=1), "enforcement", Passed.UNKNOWN),
        (Standing(NOW, envelopes=1, refusal=REFUSED), "enforcement", Passed.YES),
        (
            Standing(NOW, envelopes=1, refusal=replace(REFUSED, strength=Strength.SEEN_ONLY)),
            "enforcement",
            Passed.NO,
        ),
        (Standing(NOW), "detection", Passed.UNKNOWN),
        (Standing(NOW, incidents=1), "detection", Passed.NO),
        (Standing(NOW, incidents=1, handled=NOW), "detection", Passed.YES),
        (Standing(NOW + timedelta(days=91), incidents=1, handled=NOW), "detection", Passed.NO),
        (Standing(NOW), "compliance", Passed.UNKNOWN),
    ],
)
def test_each_phase_has_its_test(seen: Standing, phase: str, answer: Passed) -> None:
    assert passed(seen)[phase] is answer


def test_an_unknown_phase_is_not_passed() -> None:
    phases = blueprint(Standing(NOW, (SCAN,)))
    now = current(phases)
    assert now is not None
    assert now.id == "gates"


def test_every_next_step_is_a_verb_that_exists() -> None:
    verbs = {verb for group in VERBS.values() for verb in group}
    for phase in blueprint(Standing(NOW)):
        program, verb = phase.next.split()[:2]
        assert (program, verb in verbs) == ("keepwall", True)


def test_the_standing_is_read_from_the_store(tmp_path: Path) -> None:
    with Store.open(f"sqlite:///{tmp_path / 'keepwall.db'}") as store:
        assert standing(store, NOW) == Standing(NOW)
        store.scans.record(ScanResult((), (), (), (), SCAN))
        store.events.append([REFUSED])
        store.documents.put("envelopes", "claims", 1, b"signed")
        store.incidents.open(Incident("i", "t", Severity.HIGH, Surface.AGENT, "run:x", "d", NOW))
        store.incidents.add("i", TimelineEntry(NOW, "release", "t"), state=IncidentState.CLOSED)
        seen = standing(store, NOW)
    assert seen == Standing(NOW, (SCAN,), 0, 0, 1, REFUSED, 1, NOW)
