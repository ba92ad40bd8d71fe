"""A scan of real trees, from discovery to the store."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from keepwall.foundation.config import Ignore, load_config
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.asset import AssetKind
from keepwall.vocabulary.errors import ConfigError, ExitCode
from keepwall.vocabulary.scan import ScanResult
from keepwall.vocabulary.surface import Severity, Surface
from keepwall.workflows.scan import combined, record, scan, target_path, without_ignored
from keepwall.workflows.verdict import judge

DEMO = Path(__file__).parents[2] / "demo"
AT = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


class FixedClock:
    def now(self) -> datetime:
        return AT


def scanned(target: Path) -> ScanResult:
    return scan(
        str(target), config=load_config(environment={}, directory=target.parent), clock=FixedClock()
    )


@pytest.fixture(scope="module")
def demo() -> ScanResult:
    return scanned(DEMO)


def test_the_demo_fails_on_every_surface(demo: ScanResult) -> None:
    assert {each.surface for each in demo.findings} == set(Surface)
    assert demo.unread == ()
    assert demo.scan.files == sum(each.is_file() for each in DEMO.rglob("*"))
    assert {AssetKind.NOTEBOOK, AssetKind.HOSTED_MODEL, AssetKind.MCP_SERVER, AssetKind.TOOL} <= {
        each.kind for each in demo.assets
    }


def test_the_key_in_the_notebook_is_found_and_never_shown(demo: ScanResult) -> None:
    assert any(each.location.path.endswith("first-look.ipynb") for each in demo.findings)
    assert "Keepwall0Demo1" not in repr(demo)


def test_a_scan_is_the_same_twice(demo: ScanResult) -> None:
    assert scanned(DEMO) == demo
    fingerprints = [each.fingerprint for each in demo.findings]
    assert len(set(fingerprints)) == len(fingerprints)


def test_every_edge_ends_at_an_asset(demo: ScanResult) -> None:
    known = {each.id for each in demo.assets}
    assert {end for edge in demo.relations for end in (edge.source, edge.target)} <= known
    assert {each.asset for each in demo.findings} <= known


def test_ignores_leave_out_and_count(demo: ScanResult) -> None:
    first = demo.findings[0]
    entry = {"reason": "r", "owner": "o", "place": "keepwall.toml:1"}
    valid = Ignore(expires=AT.date(), fingerprint=first.fingerprint, **entry)
    kept, dropped = without_ignored(demo.findings, [valid], AT.date())
    assert dropped == (first,)
    assert len(kept) == len(demo.findings) - 1
    expired = Ignore(expires=date(2026, 2, 28), rule=first.rule, **entry)
    elsewhere = Ignore(expires=date(2027, 1, 1), rule=first.rule, path="other", **entry)
    assert without_ignored(demo.findings, [expired, elsewhere], AT.date()) == (demo.findings, ())


def test_a_scan_of_nothing_is_clean(tmp_path: Path) -> None:
    result = scanned(tmp_path)
    assert judge(result, Severity.INFO).exit_code is ExitCode.CLEAN
    assert result.scan.target == str(tmp_path)


def test_findings_beat_an_incomplete_answer(tmp_path: Path, demo: ScanResult) -> None:
    (tmp_path / "broken.ipynb").write_text('{"cells": [')
    broken = scanned(tmp_path)
    assert [each.path for each in broken.unread] == ["broken.ipynb"]
    assert judge(broken, Severity.HIGH).exit_code is ExitCode.INCOMPLETE
    both = combined([broken, demo])
    assert judge(both, Severity.HIGH).exit_code is ExitCode.FINDINGS
    known = {each.fingerprint for each in demo.findings}
    assert judge(both, Severity.HIGH, known).exit_code is ExitCode.INCOMPLETE
    assert len(judge(demo, Severity.HIGH, known).known) == len(demo.findings)


def test_several_targets_keep_their_places_apart(tmp_path: Path) -> None:
    parts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "Dockerfile").write_text("FROM python:latest\n")
        parts.append(scanned(tmp_path / name))
    both = combined(parts)
    places = {each.location.path for each in both.findings}
    assert places == {str(tmp_path / name / "Dockerfile") for name in ("one", "two")}
    (image,) = (each for each in both.assets if each.kind is AssetKind.IMAGE)
    assert len(image.locations) == 2
    assert both.scan.files == 2


def test_the_store_keeps_a_scan(tmp_path: Path, demo: ScanResult) -> None:
    url = f"sqlite:///{tmp_path / 'kept.db'}"
    record(demo, url)
    record(demo, url)
    with Store.open(url) as store:
        assert store.scans.latest(str(DEMO)) == demo.scan
        found = store.findings.get(demo.findings[0].fingerprint)
    assert found == demo.findings[0]


@pytest.mark.parametrize("target", ["kube:prod", "image:python:3", "kube-dump:x.yaml", "nowhere"])
def test_targets_that_are_none(target: str) -> None:
    with pytest.raises(ConfigError) as caught:
        target_path(target)
    assert caught.value.hint


def test_a_directory_with_the_name_of_a_later_kind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("kube:x").mkdir()
    assert target_path("kube:x") == Path("kube:x")
    assert target_path("host") is None
