from __future__ import annotations

from dataclasses import replace

import pytest
from store_samples import asset, at, finding, result

from keepwall.foundation.store import changes as module
from keepwall.foundation.store import record_changes
from keepwall.foundation.store.changes import About, Change, Difference
from keepwall.foundation.store.scans import HISTORY
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.surface import Severity

A, B = asset("a", "a.py", owner="ada"), asset("b", "b.py", licence="BSD")


def told(changes: list[Change]) -> list[tuple[str, str, tuple[str, ...]]]:
    return [(each.difference.value, each.title, each.details) for each in changes]


def test_the_first_scan_changes_nothing_and_the_next_says_what_is_otherwise(store: Store) -> None:
    store.scans.record(result("repo", assets=(A, B), findings=(finding(),)))
    assert store.changes.of_scan("repo@0") == []
    other = replace(A, owner="zoe", locations=(Location("c.py", 1),))
    new = asset("n", "n.py")
    worse = replace(finding(), severity=Severity.CRITICAL)
    store.scans.record(result("repo", minutes=5, assets=(other, new), findings=(worse,)))
    found = store.changes.of_scan("repo@5")
    assert told(found) == [
        (
            "changed",
            "a",
            ("owner: ada → zoe", "now also in c.py", "no longer in a.py"),
        ),
        ("vanished", "b", ()),
        ("appeared", "n", ()),
        ("changed", "Title of pin-it", ("severity: high → critical",)),
    ]
    assert {each.at for each in found} == {at(5)}
    assert [each.word for each in found] == ["library", "library", "library", "critical"]
    assert store.changes.counts(["repo@0", "repo@5"]) == {"repo@5": 4}
    assert told(store.changes.about(A.id)) == told(found)[:1]
    assert [each.scan for each in store.changes.about(finding().fingerprint)] == ["repo@5"]


def test_moved_lines_and_a_rescan_are_no_change(store: Store) -> None:
    store.scans.record(result("repo", assets=(A,), findings=(finding(),)))
    moved = replace(A, locations=(Location("a.py", 99),))
    lower = replace(finding(), location=Location("requirements.txt", 99))
    store.scans.record(result("repo", minutes=1, assets=(moved,), findings=(lower,)))
    store.scans.record(result("repo", minutes=1, assets=(moved,), findings=(lower,)))
    assert store.changes.of_scan("repo@1") == []


def test_targets_change_apart(store: Store) -> None:
    store.scans.record(result("one", assets=(A,)))
    store.scans.record(result("two", assets=(A, B)))
    store.scans.record(result("one", minutes=1, assets=()))
    assert told(store.changes.of_scan("one@1")) == [("vanished", "a", ())]
    assert store.changes.between("one@0", "one@1") == store.changes.of_scan("one@1")
    assert store.changes.between("one@1", "one@0") == []
    assert store.changes.between("two@0", "one@1") == []


def test_more_changes_than_are_recorded_are_counted(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(record_changes, "MOST", 3)
    store.scans.record(result("repo"))
    store.scans.record(result("repo", minutes=1, assets=tuple(asset(f"{n}") for n in range(9))))
    found = store.changes.of_scan("repo@1")
    assert [each.difference for each in found] == [Difference.APPEARED] * 3 + [Difference.MORE]
    assert found[-1].title == "6 more changes"


def test_details_are_bounded() -> None:
    big = replace(A, attributes={f"k{n}": "v" * 5000 for n in range(50)})
    found = list(module.differences_of_assets({A.id: A}, {A.id: big}, at(1), "s"))
    assert len(found[0].details) == module.DETAILS + 1
    assert found[0].details[-1] == "and 38 more differences"
    assert max(map(len, found[0].details)) < 400
    assert found[0].about is About.ASSET


def test_changes_are_forgotten_with_their_scan(store: Store) -> None:
    for minute in range(HISTORY + 3):
        store.scans.record(result("repo", minutes=minute, assets=(A,) if minute % 2 else ()))
    kept = store.scans.of_target("repo")
    assert len(kept) == HISTORY
    assert store.changes.of_scan("repo@1") == []
    assert len(store.changes.about(A.id, 1000)) == HISTORY
    assert store.scans.get("repo@1") is None
    assert store.scans.get(kept[0].id) == kept[0]
    assert [each.id for each in store.scans.targets()] == [kept[0].id]
