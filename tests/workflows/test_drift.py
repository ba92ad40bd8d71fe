"""Drift of two results, and of many scans together."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from keepwall.foundation.store.changes import Difference
from keepwall.vocabulary.asset import Asset, AssetKind, Location
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.scan import ScanInfo, ScanResult
from keepwall.vocabulary.surface import Severity, Surface
from keepwall.workflows.drift import drift, net

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def asset(name: str, owner: str = "") -> Asset:
    return Asset(AssetKind.AGENT, f"a.py#{name}", name, Surface.AGENT, (), owner)


def finding(name: str, severity: Severity = Severity.LOW) -> Finding:
    return Finding(
        "rule", name, severity, Surface.AGENT, "a", Location("a", 1), name, "why", "fix", name
    )


def result(
    hour: int, assets: tuple[Asset, ...] = (), findings: tuple[Finding, ...] = ()
) -> ScanResult:
    at = NOON + timedelta(hours=hour)
    return ScanResult(assets, (), findings, (), ScanInfo(f"scan-{hour}", "repo", at, at, "1"))


def test_drift_names_what_came_went_and_changed() -> None:
    before = result(0, (asset("a"), asset("b")), (finding("x"), finding("y")))
    after = result(1, (asset("b", "zoe"), asset("c")), (finding("y", Severity.HIGH), finding("z")))
    found = [(each.difference.value, each.title) for each in drift(before, after)]
    assert found == [
        ("vanished", "a"),
        ("changed", "b"),
        ("appeared", "c"),
        ("changed", "y"),
        ("vanished", "x"),
        ("appeared", "z"),
    ]
    assert drift(before, replace(before, scan=after.scan)) == ()


def test_what_came_and_went_is_nothing_and_since_when_is_kept() -> None:
    steps = [result(0), result(1, (asset("a"),)), result(2, (asset("a", "zoe"),)), result(3)]
    changes = [each for one, two in itertools.pairwise(steps) for each in drift(one, two)]
    assert net(changes) == ()
    (left,) = net(changes[:2])
    assert (left.difference, left.scan) == (Difference.APPEARED, "scan-1")
    back = [*drift(steps[1], steps[0]), *drift(steps[0], steps[1])]
    (returned,) = net(back)
    assert returned.difference is Difference.CHANGED
    assert returned.details == ("was gone since 2026-03-01 12:00",)


worlds = st.lists(st.dictionaries(st.sampled_from("abcd"), st.sampled_from("xy")), min_size=2)


@given(worlds)
def test_many_steps_together_end_where_one_step_would(history: list[dict[str, str]]) -> None:
    steps = [
        result(hour, tuple(asset(name, owner) for name, owner in world.items()))
        for hour, world in enumerate(history)
    ]
    changes = [each for one, two in itertools.pairwise(steps) for each in drift(one, two)]
    together = {each.id: each.difference for each in net(changes)}
    directly = {each.id: each.difference for each in drift(steps[0], steps[-1])}
    # What changed and changed back is still told: it was touched in between.
    extra = {name for name in together if name not in directly}
    assert all(together[name] is Difference.CHANGED for name in extra)
    assert {name: together.get(name) for name in directly} == directly
