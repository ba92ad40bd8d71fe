from __future__ import annotations

from dataclasses import replace
from datetime import UTC

import pytest
from store_samples import asset, at, finding, result

from keepwall.foundation.store.scans import HISTORY
from keepwall.foundation.store.seen import GONE_KEPT, Seen
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.asset import Location, Relation, RelationKind
from keepwall.vocabulary.errors import IntegrityError
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.surface import Severity

TORCH = asset("pkg:pypi/torch", "requirements.txt", licence="BSD")
NUMPY = asset("pkg:pypi/numpy", "requirements.txt")


def test_a_recorded_scan_is_returned_as_it_was(store: Store) -> None:
    edge = Relation(TORCH.id, RelationKind.USES, NUMPY.id)
    unread = (Unread("a.bin", "too large"), Unread("b.bin", "no permission"))
    scanned = result(
        "repo", assets=(TORCH, NUMPY), relations=(edge,), findings=(finding(),), unread=unread
    )
    store.scans.record(scanned)
    assert store.scans.latest("repo") == scanned.scan
    assert store.scans.list() == [scanned.scan]
    assert store.scans.unread(scanned.scan.id) == list(unread)
    assert store.inventory.assets() == [NUMPY, TORCH]
    assert store.inventory.relations() == [edge]
    assert store.findings.list() == [finding()]
    assert store.findings.get(finding().fingerprint) == finding()
    assert scanned.scan.finished_at.tzinfo is UTC
    assert store.inventory.seen(TORCH.id) == Seen(at(0), at(0))


def test_nothing_is_known_of_what_was_never_scanned(store: Store) -> None:
    assert store.scans.latest("repo") is None
    assert store.scans.list() == []
    assert store.scans.unread("nothing") == []


def test_a_new_scan_replaces_what_its_target_showed(store: Store) -> None:
    edge = Relation(TORCH.id, RelationKind.USES, NUMPY.id)
    gone = finding("gone")
    store.scans.record(
        result("repo", assets=(TORCH, NUMPY), relations=(edge,), findings=(finding(), gone))
    )
    store.scans.record(result("repo", minutes=5, assets=(TORCH,), findings=(finding(),)))
    assert store.inventory.assets() == [TORCH]
    assert store.inventory.relations() == []
    assert store.findings.list() == [finding()]
    assert store.inventory.seen(TORCH.id) == Seen(at(0), at(5))
    assert store.inventory.seen(NUMPY.id) == Seen(at(0), at(0), until=at(5))
    assert store.findings.seen(finding().fingerprint) == Seen(at(0), at(5))
    assert store.findings.seen(gone.fingerprint) == Seen(at(0), at(0), until=at(5))
    assert store.findings.get(gone.fingerprint) == gone
    assert store.inventory.asset(NUMPY.id) == NUMPY
    assert [scan.finished_at for scan in store.scans.list()] == [at(5), at(0)]


def test_what_returns_is_open_again_and_as_old_as_before(store: Store) -> None:
    for minutes, found in ((0, (finding(),)), (5, ()), (9, (finding(),))):
        seen = (TORCH,) if found else ()
        store.scans.record(result("repo", minutes=minutes, assets=seen, findings=found))
    assert store.findings.seen(finding().fingerprint) == Seen(at(0), at(9))
    assert store.inventory.seen(TORCH.id) == Seen(at(0), at(9))
    assert store.findings.list() == [finding()]


def test_an_asset_of_several_targets_is_one_row_with_all_locations(store: Store) -> None:
    here = asset("pkg:pypi/torch", "a/requirements.txt", licence="BSD")
    there = asset("pkg:pypi/torch", "b/pyproject.toml", owner="team-b", licence="other")
    store.scans.record(result("a", assets=(here,)))
    store.scans.record(result("b", minutes=1, assets=(there, NUMPY)))
    (both,) = store.inventory.assets(search="torch")
    assert both.locations == (Location("a/requirements.txt", 3), Location("b/pyproject.toml", 3))
    assert both.owner == "team-b"
    assert both.attributes == {"licence": "other"}, "the newest sighting is believed"
    assert store.inventory.seen(both.id) == Seen(at(0), at(1))

    store.scans.record(result("b", minutes=2, assets=(NUMPY,)))
    (left,) = store.inventory.assets(search="torch")
    assert left == here, "what only the other target showed is gone with it"
    assert store.inventory.seen(left.id) == Seen(at(0), at(0))

    store.scans.record(result("a", minutes=3))
    assert store.inventory.assets(search="torch") == []


def test_a_finding_of_two_targets_is_resolved_when_both_lost_it(store: Store) -> None:
    for target in ("a", "b"):
        store.scans.record(result(target, findings=(finding(),)))
    assert store.findings.counts()[Severity.HIGH] == 1
    store.scans.record(result("a", minutes=1))
    assert store.findings.list() == [finding()]
    store.scans.record(result("b", minutes=2))
    assert store.findings.list() == []
    assert store.findings.seen(finding().fingerprint) == Seen(at(0), at(0), until=at(2))


def test_relations_of_two_targets_are_listed_once(store: Store) -> None:
    edge = Relation(TORCH.id, RelationKind.USES, NUMPY.id)
    other = Relation(NUMPY.id, RelationKind.USES, "library:pkg:pypi/blas")
    store.scans.record(result("a", relations=(edge, edge)))
    store.scans.record(result("b", relations=(edge, other)))
    assert store.inventory.relations() == sorted([edge, other])
    assert store.inventory.relations(TORCH.id) == [edge]
    assert store.inventory.relations(NUMPY.id) == sorted([edge, other])
    store.scans.record(result("b", minutes=1))
    assert store.inventory.relations() == [edge]


def test_sightings_of_one_asset_in_one_result_are_merged(store: Store) -> None:
    twice = (asset("pkg:pypi/torch", "a"), asset("pkg:pypi/torch", "b"))
    store.scans.record(result("repo", assets=twice, findings=(finding(), finding())))
    (only,) = store.inventory.assets()
    assert [place.path for place in only.locations] == ["a", "b"]
    assert store.findings.list() == [finding()]


def test_recording_a_scan_again_changes_nothing(store: Store) -> None:
    scanned = result("repo", assets=(TORCH,), findings=(finding(),))
    store.scans.record(scanned)
    store.scans.record(scanned)
    assert store.scans.list() == [scanned.scan]
    assert store.findings.list() == [finding()]


def test_a_scan_id_of_another_target_is_refused_and_nothing_changes(store: Store) -> None:
    store.scans.record(result("a", scan_id="one", assets=(TORCH,)))
    with pytest.raises(IntegrityError, match="contradicts"):
        store.scans.record(result("b", scan_id="one", assets=(NUMPY,)))
    assert store.inventory.assets() == [TORCH]
    assert store.scans.latest("b") is None


def test_a_time_without_a_zone_is_refused_and_nothing_changes(store: Store) -> None:
    scanned = result("repo", assets=(TORCH,))
    naive = replace(scanned, scan=replace(scanned.scan, finished_at=at(0).replace(tzinfo=None)))
    with pytest.raises(IntegrityError, match="time zone"):
        store.scans.record(naive)
    assert store.scans.list() == []


def test_the_history_of_a_target_is_bounded(store: Store) -> None:
    store.scans.record(result("quiet"))
    for minute in range(HISTORY + 5):
        store.scans.record(result("busy", minutes=minute, unread=(Unread("x", "y"),)))
    kept = store.scans.list(limit=10 * HISTORY)
    assert len([scan for scan in kept if scan.target == "busy"]) == HISTORY
    assert store.scans.latest("busy") == kept[0]
    assert store.scans.latest("quiet") is not None
    assert store.scans.unread("busy@0") == []


def test_what_is_long_gone_is_forgotten(store: Store) -> None:
    store.scans.record(result("repo", assets=(TORCH,), findings=(finding(),)))
    store.scans.record(result("repo", minutes=1))
    later = 2 + GONE_KEPT.total_seconds() / 60
    store.scans.record(result("repo", minutes=later))
    assert store.inventory.asset(TORCH.id) is None
    assert store.findings.get(finding().fingerprint) is None


def test_hostile_names_come_back_as_they_were(store: Store) -> None:
    odd = "\0\udc80\U0001f4a3 ' ; DROP TABLE assets; -- %_\\" + "long/" * 5000
    strange = asset(odd, odd, kind=TORCH.kind)
    failed = finding(rule=odd, about=strange.id, path=odd)
    scanned = result(
        odd,
        assets=(strange,),
        relations=(Relation(strange.id, RelationKind.READS, odd),),
        findings=(failed,),
        unread=(Unread(odd, odd),),
    )
    store.scans.record(scanned)
    assert store.scans.latest(odd) == scanned.scan
    assert store.inventory.assets() == [strange]
    assert store.inventory.asset(strange.id) == strange
    assert store.inventory.relations(odd) == list(scanned.relations)
    assert store.findings.list(asset=strange.id) == [failed]
    assert store.scans.unread(scanned.scan.id) == list(scanned.unread)
