from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from store_samples import at, incident

from keepwall.foundation.store.store import Store
from keepwall.vocabulary.errors import IntegrityError
from keepwall.vocabulary.incident import IncidentState, TimelineEntry

OPENED = TimelineEntry(at(0), "detected", "model read and sent", "event-1")
CONTAINED = TimelineEntry(at(1), "contained", "network denied")


def test_an_incident_comes_back_as_it_was(store: Store) -> None:
    whole = replace(incident("i-1"), timeline=(OPENED, CONTAINED), events=("e-2", "e-1"))
    store.incidents.open(whole)
    assert store.incidents.get("i-1") == whole
    assert store.incidents.get("i-2") is None
    assert store.incidents.list() == [whole]


def test_an_incident_is_opened_once(store: Store) -> None:
    store.incidents.open(incident("i-1"))
    with pytest.raises(IntegrityError, match="i-1 exists"):
        store.incidents.open(replace(incident("i-1"), title="other"))
    assert store.incidents.list() == [incident("i-1")]


def test_a_story_grows_with_state_and_events_at_once(store: Store) -> None:
    store.incidents.open(replace(incident("i-1"), timeline=(OPENED,), events=("e-1",)))
    grown = store.incidents.add(
        "i-1", CONTAINED, state=IncidentState.CONTAINED, events=("e-1", "e-2", "e-2")
    )
    assert grown == replace(
        incident("i-1"),
        state=IncidentState.CONTAINED,
        timeline=(OPENED, CONTAINED),
        events=("e-1", "e-2"),
    )
    assert store.incidents.get("i-1") == grown
    assert store.incidents.add("i-1", OPENED).state is IncidentState.CONTAINED


def test_nothing_is_added_to_an_incident_that_is_not_there(store: Store) -> None:
    with pytest.raises(IntegrityError, match="no incident i-9"):
        store.incidents.add("i-9", CONTAINED, events=("e-1",))
    assert store.incidents.list() == []


def test_incidents_are_listed_newest_first_by_state(store: Store) -> None:
    for minutes, name in ((1, "i-1"), (3, "i-3"), (2, "i-2")):
        store.incidents.open(incident(name, minutes=minutes))
    store.incidents.add("i-3", CONTAINED, state=IncidentState.CLOSED)
    assert [each.id for each in store.incidents.list()] == ["i-3", "i-2", "i-1"]
    assert [each.id for each in store.incidents.list(limit=2)] == ["i-3", "i-2"]
    open_ones = store.incidents.list(state=IncidentState.OPEN)
    assert [each.id for each in open_ones] == ["i-2", "i-1"]
    assert [each.timeline for each in store.incidents.list(limit=1)] == [(CONTAINED,)]


def test_the_incident_that_still_runs_is_found(store: Store) -> None:
    store.incidents.open(incident("old", minutes=0))
    store.incidents.open(incident("new", minutes=5))
    store.incidents.open(incident("other", minutes=9, detection="else"))
    found = store.incidents.find_open("run:claims", "exfil")
    assert found is not None
    assert found.id == "new"
    store.incidents.add("new", CONTAINED, state=IncidentState.CONTAINED)
    found = store.incidents.find_open("run:claims", "exfil")
    assert found is not None
    assert (found.id, found.state) == ("new", IncidentState.CONTAINED)
    for name in ("new", "old"):
        store.incidents.add(name, CONTAINED, state=IncidentState.CLOSED)
    assert store.incidents.find_open("run:claims", "exfil") is None
    assert store.incidents.find_open("run:nobody", "exfil") is None


def test_threads_lose_no_entry_of_each_other(store: Store) -> None:
    store.incidents.open(incident("i-1"))

    def add(number: int) -> None:
        entry = TimelineEntry(at(number), "note", f"note {number}")
        store.incidents.add("i-1", entry, events=(f"e-{number}",))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(add, range(40)))
    grown = store.incidents.get("i-1")
    assert grown is not None
    assert {entry.text for entry in grown.timeline} == {f"note {n}" for n in range(40)}
    assert set(grown.events) == {f"e-{n}" for n in range(40)}
