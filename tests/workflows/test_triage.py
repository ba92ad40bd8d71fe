"""Decisions about findings: what they need, and that the ledger has them before the store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keepwall.foundation.store.store import Store
from keepwall.foundation.store.triage import TriageState
from keepwall.prove.record import EvidenceRecorder
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.errors import ConnectError
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.scan import ScanInfo, ScanResult
from keepwall.vocabulary.surface import Severity, Surface
from keepwall.workflows.triage import (
    LONGEST,
    MOST_AT_ONCE,
    TriageError,
    TriageOrder,
    UnknownFindingError,
    triage,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SOON = NOW + timedelta(days=30)
ACCEPTED, FALSE_POSITIVE = TriageState.ACCEPTED, TriageState.FALSE_POSITIVE


class Noon:
    def now(self) -> datetime:
        return NOW


class Records:
    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.full = False

    def append(self, records: list[bytes]) -> list[int]:
        if self.full:
            raise ConnectError("the disk is full")
        self.records.extend(records)
        return [len(self.records) - 1]


def finding(name: str) -> Finding:
    place = Location("a", 1)
    return Finding("rule", name, Severity.HIGH, Surface.AGENT, "a", place, name, "why", "fix", name)


@pytest.fixture
def ledger() -> Records:
    return Records()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'keepwall.db'}") as opened:
        info = ScanInfo("scan", "repo", NOW, NOW, "1")
        opened.scans.record(ScanResult((), (), (finding("x"), finding("y")), (), info))
        yield opened


def decide(store: Store, ledger: Records, order: TriageOrder) -> None:
    triage(store, EvidenceRecorder(ledger, Noon()), Noon(), order, "console")


def test_a_decision_is_in_the_ledger_and_in_the_store(store: Store, ledger: Records) -> None:
    order = TriageOrder(("x", "y", "x"), ACCEPTED, " the port is firewalled ", "ada", SOON)
    decide(store, ledger, order)
    told = [json.loads(record) for record in ledger.records]
    assert [each["about"] for each in told] == ["x", "y"]
    assert {(each["control"], each["outcome"]) for each in told} == {("finding.triage", "accepted")}
    assert told[0]["strength"] == "seen-only", "a decision enforces nothing"
    assert told[0]["detail"]["actor"] == "console"
    assert told[0]["detail"]["until"] == SOON.isoformat()
    decided = store.triage.of(["x"])["x"]
    assert (decided.state, decided.reason, decided.owner) == (
        ACCEPTED,
        "the port is firewalled",
        "ada",
    )


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (TriageOrder(("x",), TriageState.FIXED, "r"), "a scan"),
        (TriageOrder((), FALSE_POSITIVE, "r"), "between 1 and"),
        (TriageOrder(("x",) * (MOST_AT_ONCE + 1), FALSE_POSITIVE, "r"), "between 1 and"),
        (TriageOrder(("x",), FALSE_POSITIVE, "  "), "needs a reason"),
        (TriageOrder(("x",), ACCEPTED, "", "ada", SOON), "needs a reason"),
        (TriageOrder(("x",), ACCEPTED, "r", " ", SOON), "needs an owner"),
        (TriageOrder(("x",), ACCEPTED, "r", "ada"), "needs a day"),
        (TriageOrder(("x",), ACCEPTED, "r", "ada", NOW), "within"),
        (TriageOrder(("x",), ACCEPTED, "r", "ada", NOW + 2 * LONGEST), "within"),
        (TriageOrder(("x",), ACCEPTED, "r", "ada", datetime(2026, 4, 1)), "time zone"),  # noqa: DTZ001
        (TriageOrder(("x",), FALSE_POSITIVE, "r" * 2001), "at most"),
    ],
)
def test_what_is_missing_is_said_and_nothing_is_decided(
    store: Store, ledger: Records, order: TriageOrder, said: str
) -> None:
    with pytest.raises(TriageError, match=said):
        decide(store, ledger, order)
    assert (ledger.records, store.triage.of(["x"])) == ([], {})


def test_one_unknown_finding_stops_them_all(store: Store, ledger: Records) -> None:
    with pytest.raises(UnknownFindingError, match="no finding 'nobody'"):
        decide(store, ledger, TriageOrder(("x", "nobody"), FALSE_POSITIVE, "r"))
    assert (ledger.records, store.triage.of(["x"])) == ([], {})


def test_without_the_ledger_nothing_is_decided(store: Store, ledger: Records) -> None:
    ledger.full = True
    with pytest.raises(ConnectError):
        decide(store, ledger, TriageOrder(("x",), FALSE_POSITIVE, "r"))
    assert store.triage.of(["x"]) == {}
