from __future__ import annotations

from dataclasses import replace

import pytest
from store_samples import asset, at, finding, result

from keepwall.foundation.store.asset_search import NONE, AssetFilter, AssetSort
from keepwall.foundation.store.store import Store
from keepwall.foundation.store.views import MOST, View
from keepwall.vocabulary.asset import AssetKind, Relation, RelationKind
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.surface import Severity, Surface

AGENT = asset("a.py#claims", "a.py", kind=AssetKind.AGENT, surface=Surface.AGENT, owner="ada")
TORCH = asset("pkg:pypi/torch", "requirements.txt", context="test")
NUMPY = replace(asset("pkg:pypi/numpy", "requirements.txt", owner="ada"), zone="production")
ALONE = asset("pkg:pypi/alone", "x")
USES = Relation(AGENT.id, RelationKind.USES, TORCH.id)
NEEDS = Relation(TORCH.id, RelationKind.USES, NUMPY.id)


@pytest.fixture
def full(store: Store) -> Store:
    failed = (finding("one", about=TORCH.id), finding("two", about=TORCH.id, severity=Severity.LOW))
    assets = (AGENT, TORCH, NUMPY, ALONE)
    dangling = Relation(AGENT.id, RelationKind.CALLS, "endpoint:http://gone:80")
    edges = (USES, NEEDS, dangling)
    store.scans.record(result("repo", assets=assets, relations=edges, findings=failed))
    store.scans.record(result("other", minutes=1, assets=(TORCH,), relations=(USES,)))
    return store


def names(full: Store, **wanted: object) -> list[str]:
    return [row.asset.name for row in full.asset_search.find(AssetFilter(**wanted))]


def test_facets_count_what_choosing_them_would_show(full: Store) -> None:
    facets = full.asset_search.facets(AssetFilter(owner="ada"))
    assert facets["kind"] == [("agent", 1), ("library", 1)]
    assert facets["owner"] == [(NONE, 2), ("ada", 2)], "its own choice does not narrow it"
    assert dict(facets["target"]) == {"repo": 2}
    assert dict(full.asset_search.facets(AssetFilter())["target"]) == {"repo": 4, "other": 1}
    for name, values in full.asset_search.facets(AssetFilter()).items():
        for value, count in values:
            assert len(names(full, **{name: value})) == count, (name, value)


def test_assets_are_found_by_every_facet(full: Store) -> None:
    assert names(full, target="other") == ["pkg:pypi/torch"]
    assert names(full, zone="production") == ["pkg:pypi/numpy"]
    assert names(full, context="test", search="TORCH") == ["pkg:pypi/torch"]
    assert names(full, owner=NONE, kind=AssetKind.LIBRARY) == ["pkg:pypi/alone", "pkg:pypi/torch"]
    assert names(full, target="nowhere") == []
    assert full.asset_search.count(AssetFilter(surface=Surface.AGENT)) == 1


@pytest.mark.parametrize("sort", AssetSort)
def test_pages_by_key_hold_every_asset_once_in_order(full: Store, sort: AssetSort) -> None:
    whole = [row.asset.id for row in full.asset_search.find(AssetFilter(), sort=sort)]
    assert len(whole) == 4
    seen, after = [], None
    while page := full.asset_search.find(AssetFilter(), sort=sort, after=after, limit=1):
        seen.append(page[0].asset.id)
        after = page[0].place
    assert seen == whole


def test_a_row_says_what_is_wrong_with_it(full: Store) -> None:
    (row,) = full.asset_search.find(AssetFilter(search="torch"))
    assert (row.findings, row.worst, row.first_seen) == (2, Severity.HIGH, at(0))
    (row,) = full.asset_search.find(AssetFilter(search="alone"))
    assert (row.findings, row.worst) == (0, None)


def test_a_graph_around_an_asset_holds_its_neighbours_and_counts_the_rest(full: Store) -> None:
    near = full.graph.around(TORCH.id, 10)
    assert near.nodes[0].asset == full.inventory.asset(TORCH.id)
    assert {node.asset.id for node in near.nodes} == {TORCH.id, AGENT.id, NUMPY.id}
    assert near.edges == (USES, NEEDS)
    assert near.total == 3
    assert near.nodes[0].relations == 2, "what two targets show counts once"
    few = full.graph.around(TORCH.id, 2)
    assert (len(few.nodes), few.total) == (2, 3)
    assert full.graph.around("none", 5).nodes == ()


def test_the_graph_of_a_filter_begins_with_what_matters(full: Store) -> None:
    graph = full.graph.chosen(AssetFilter(), 2)
    assert [node.asset.id for node in graph.nodes] == [TORCH.id, AGENT.id]
    assert graph.edges == (USES,)
    assert graph.total == 4
    libraries = full.graph.chosen(AssetFilter(kind=AssetKind.LIBRARY), 100)
    assert {node.asset.id for node in libraries.nodes} == {TORCH.id, NUMPY.id, ALONE.id}
    assert libraries.edges == (NEEDS,)


def test_views_belong_to_a_user_and_are_few(store: Store) -> None:
    store.views.save("ada", View("mine", "/findings?owner=ada"))
    store.views.save("ada", View("mine", "/findings?owner=zoe"))
    store.views.save("zoe", View("hers", "/inventory?"))
    assert store.views.list("ada") == [View("mine", "/findings?owner=zoe")]
    store.views.delete("ada", "hers")
    assert store.views.list("zoe") == [View("hers", "/inventory?")]
    for number in range(MOST - 1):
        store.views.save("zoe", View(f"{number:02}", "/findings"))
    with pytest.raises(ConfigError, match="saved already"):
        store.views.save("zoe", View("one more", "/findings"))
    store.views.save("zoe", View("hers", "/findings"))
    store.views.delete("zoe", "hers")
    assert len(store.views.list("zoe")) == MOST - 1
