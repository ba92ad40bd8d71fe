from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from store_samples import asset, at, finding, result

from keepwall.foundation.store.finding_search import FindingFilter
from keepwall.foundation.store.store import Store
from keepwall.foundation.store.triage import Triage, TriageState
from keepwall.vocabulary.surface import Severity

OPEN, ACCEPTED = TriageState.OPEN, TriageState.ACCEPTED
ONE, TWO = finding("one"), finding("two", severity=Severity.CRITICAL)


def accepted(minutes: float = 10) -> Triage:
    return Triage(ONE.fingerprint, ACCEPTED, "console", at(1), "known", "ada", at(minutes))


def standing(store: Store, minutes: float) -> dict[str, TriageState]:
    found = store.finding_search.find(FindingFilter(), at(minutes))
    return {each.finding.rule: each.state for each in found}


def open_rules(store: Store, minutes: float) -> list[str]:
    found = store.finding_search.find(FindingFilter(OPEN), at(minutes))
    return [each.finding.rule for each in found]


def test_an_acceptance_holds_until_its_day_and_comes_back_by_itself(store: Store) -> None:
    store.scans.record(result("repo", findings=(ONE, TWO)))
    store.triage.decide([accepted()])
    assert standing(store, 2) == {"one": ACCEPTED, "two": OPEN}
    assert open_rules(store, 2) == ["two"]
    assert standing(store, 10) == {"one": OPEN, "two": OPEN}
    assert open_rules(store, 10) == ["two", "one"]
    counted = [store.finding_search.count(FindingFilter(s), at(2)) for s in TriageState]
    assert counted == [1, 1, 0, 0]
    assert store.finding_search.severities(at(2))[Severity.HIGH] == 0
    assert store.finding_search.severities(at(10))[Severity.HIGH] == 1


def test_a_decision_survives_rescans_and_a_scan_alone_says_fixed(store: Store) -> None:
    store.scans.record(result("repo", findings=(ONE,)))
    wrong = Triage(ONE.fingerprint, TriageState.FALSE_POSITIVE, "console", at(1), "a fixture")
    store.triage.decide([wrong])
    store.scans.record(result("repo", minutes=2, findings=(ONE,)))
    assert standing(store, 3) == {"one": TriageState.FALSE_POSITIVE}
    store.scans.record(result("repo", minutes=4))
    assert standing(store, 5) == {"one": TriageState.FIXED}
    store.scans.record(result("repo", minutes=6, findings=(ONE,)))
    assert standing(store, 7) == {"one": TriageState.FALSE_POSITIVE}
    assert store.triage.of([ONE.fingerprint]) == {ONE.fingerprint: wrong}


def test_the_last_decision_holds_and_all_are_remembered(store: Store) -> None:
    store.scans.record(result("repo", findings=(ONE,)))
    again = Triage(ONE.fingerprint, OPEN, "api", at(3), "it is real")
    store.triage.decide([accepted()])
    store.triage.decide([again])
    assert standing(store, 4) == {"one": OPEN}
    assert store.triage.history(ONE.fingerprint) == [again, accepted()]
    assert store.triage.history("other") == []
    store.triage.decide([])


def test_an_acceptance_without_a_day_is_open_in_both_readings(store: Store) -> None:
    store.scans.record(result("repo", findings=(ONE,)))
    endless = Triage(ONE.fingerprint, ACCEPTED, "console", at(1), "never", "ada")
    store.triage.decide([endless])
    assert endless.state_at(at(2)) is OPEN
    assert endless.last_day is None
    assert open_rules(store, 2) == ["one"]


def test_findings_are_found_by_rule_owner_age_and_state(store: Store) -> None:
    owned = asset("x", "x.py", owner="team-a")
    mine = finding("mine", about=owned.id, path="x.py")
    store.scans.record(result("repo", assets=(owned,), findings=(mine,)))
    store.scans.record(result("repo", minutes=60, assets=(owned,), findings=(mine, ONE)))
    find = store.finding_search.find

    def rules(wanted: FindingFilter) -> list[str]:
        return [each.finding.rule for each in find(wanted, at(61))]

    assert rules(FindingFilter(owner="team-a")) == ["mine"]
    assert rules(FindingFilter(rule="one")) == ["one"]
    assert rules(FindingFilter(before=at(61) - timedelta(minutes=30))) == ["mine"]
    assert rules(FindingFilter(asset=owned.id, search="PINNED")) == ["mine"]
    assert store.finding_search.rules() == [("mine", 1), ("one", 1)]
    assert store.finding_search.owners() == ["team-a"]
    assert [each.owner for each in find(FindingFilter(), at(61))] == ["team-a", ""]


def test_what_exposes_most_comes_first(store: Store) -> None:
    low = replace(finding("low", severity=Severity.LOW), exposure=90, reason="open to everyone")
    store.scans.record(result("repo", findings=(ONE, TWO, low)))
    found = store.finding_search.find(FindingFilter(), at(1))
    assert [each.finding.rule for each in found] == ["low", "two", "one"]
    assert found[0].finding.reason == "open to everyone"
