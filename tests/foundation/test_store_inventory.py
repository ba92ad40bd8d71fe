from __future__ import annotations

import pytest
from store_samples import asset, finding, result

from keepwall.foundation.store import inventory
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.asset import AssetKind, Relation, RelationKind
from keepwall.vocabulary.surface import Severity, Surface

TORCH = asset("pkg:pypi/torch", "requirements.txt")
BOOK = asset("Train.ipynb", "books/Train.ipynb", kind=AssetKind.NOTEBOOK, surface=Surface.NOTEBOOK)
AGENT = asset(
    "agent.py#claims", "agent.py", kind=AssetKind.AGENT, surface=Surface.AGENT, owner="Zoë"
)
FAILED = (
    finding("b-rule", severity=Severity.LOW),
    finding("a-rule", severity=Severity.LOW),
    finding("Z-rule", severity=Severity.LOW),
    finding("worst", severity=Severity.CRITICAL),
    finding("agent-rule", about=AGENT.id, path="agent.py", surface=Surface.AGENT),
)


@pytest.fixture
def full(store: Store) -> Store:
    store.scans.record(result("repo", assets=(TORCH, BOOK, AGENT), findings=FAILED))
    return store


def test_assets_are_sorted_by_the_bytes_of_their_names_on_both_engines(full: Store) -> None:
    assert full.inventory.assets() == [BOOK, AGENT, TORCH]


def test_assets_are_filtered_and_paged(full: Store) -> None:
    assert full.inventory.assets(kind=AssetKind.NOTEBOOK) == [BOOK]
    assert full.inventory.assets(surface=Surface.AGENT) == [AGENT]
    assert full.inventory.assets(kind=AssetKind.NOTEBOOK, surface=Surface.AGENT) == []
    assert full.inventory.assets(limit=1, offset=1) == [AGENT]
    assert full.inventory.assets(limit=0) == []
    assert full.inventory.assets(limit=-1) == []
    assert len(full.inventory.assets(limit=10**30)) == 3


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("TRAIN", [BOOK]),
        ("books/", [BOOK]),
        ("zoË", [AGENT]),
        ("  torch ", [TORCH]),
        ("%", []),
        ("_", []),
        ("\\", []),
        ("'", []),
        ("\0", []),
        ("x" * 100_000, []),
    ],
)
def test_search_takes_its_text_literally_whatever_the_case(
    full: Store, search: str, expected: list[object]
) -> None:
    assert full.inventory.assets(search=search) == expected


def test_every_surface_is_counted(full: Store) -> None:
    counts = full.inventory.counts()
    assert set(counts) == set(Surface)
    assert counts[Surface.AGENT] == 1
    assert counts[Surface.DATA] == 0


def test_findings_are_listed_worst_first_in_one_order(full: Store) -> None:
    rules = [each.rule for each in full.findings.list()]
    assert rules == ["worst", "agent-rule", "Z-rule", "a-rule", "b-rule"]
    paged = [full.findings.list(limit=1, offset=n)[0].rule for n in range(5)]
    assert paged == rules


def test_findings_are_filtered(full: Store) -> None:
    assert [each.rule for each in full.findings.list(severity=Severity.CRITICAL)] == ["worst"]
    assert [each.rule for each in full.findings.list(surface=Surface.AGENT)] == ["agent-rule"]
    assert [each.rule for each in full.findings.list(asset=AGENT.id)] == ["agent-rule"]
    assert [each.rule for each in full.findings.list(search="title of WORST")] == ["worst"]
    assert full.findings.list(search="agent.py", severity=Severity.LOW) == []
    assert full.findings.get("nothing") is None
    assert full.findings.seen("nothing") is None


def test_every_severity_is_counted(full: Store) -> None:
    assert full.findings.counts() == {
        Severity.INFO: 0,
        Severity.LOW: 3,
        Severity.MEDIUM: 0,
        Severity.HIGH: 1,
        Severity.CRITICAL: 1,
    }


def test_relations_are_capped(store: Store) -> None:
    many = tuple(
        Relation(TORCH.id, RelationKind.USES, f"library:{n}")
        for n in range(inventory.RELATIONS_LIMIT + 10)
    )
    store.scans.record(result("repo", relations=many))
    found = store.inventory.relations()
    assert len(set(found)) == inventory.RELATIONS_LIMIT
    assert set(found) <= set(many)
    assert store.inventory.relations("library:3") == [many[3]]
