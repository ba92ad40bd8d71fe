"""Ranks findings by what they expose: how they are reached from outside, and what they reach."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from keepwall.assess.entrances import entrances
from keepwall.assess.reach_graph import CREDENTIAL, ReachGraph, reach_graph, way
from keepwall.assess.surroundings import WEIGHTS, context_of
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.asset import Asset, AssetKind
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.scan import Inventory
from keepwall.vocabulary.surface import Severity

DEPTH = 3
"""How many steps are followed from a finding to what it reaches."""

_BASE: Mapping[Severity, int] = {
    Severity.CRITICAL: 68,
    Severity.HIGH: 50,
    Severity.MEDIUM: 28,
    Severity.LOW: 10,
    Severity.INFO: 2,
}
_OPEN = (20, 16, 13, 10)
"""What an entrance adds, by its distance in steps; the last also beyond."""
_MOST_REACHED = 12

_RUNS = "tool that runs commands"
_CREDENTIAL = "credential"
_WORTH: Mapping[str, int] = {
    _RUNS: 6,
    _CREDENTIAL: 5,
    AssetKind.CLOUD_RESOURCE: 5,
    AssetKind.DATASET: 4,
    AssetKind.VECTOR_STORE: 4,
    AssetKind.FEATURE_STORE: 4,
    AssetKind.MODEL_FILE: 3,
    AssetKind.MCP_SERVER: 2,
    AssetKind.TOOL: 2,
    AssetKind.MODEL_REGISTRY: 1,
    AssetKind.HOSTED_MODEL: 1,
    AssetKind.ACCELERATOR: 1,
}
"""What each thing that is reached adds, and which are named first; what adds 1 is not named."""
_WORDS: Mapping[str, str] = {
    AssetKind.CLOUD_RESOURCE: "cloud resource",
    AssetKind.DATASET: "data set",
    AssetKind.VECTOR_STORE: "vector store",
    AssetKind.FEATURE_STORE: "feature store",
    AssetKind.MODEL_FILE: "model file",
    AssetKind.MCP_SERVER: "MCP server",
}
_PLURALS = {_RUNS: "tools that run commands"}
_NAMED = 3
_MOST_NAMES = 2


def ranked(findings: Sequence[Finding], inventory: Inventory) -> list[Finding]:
    """Return `findings`, in their order, each with its exposure and the reason.

    Time grows with the inventory and the findings: one breadth-first search from all entrances,
    and one of at most a thousand edges from each place that fails a rule.
    """
    ranking = _Ranking.of(inventory)
    return [ranking.rank(each) for each in findings]


@dataclass(slots=True)
class _Ranking:
    """The graph of a scan, what comes in where, and what was already worked out."""

    assets: Mapping[str, Asset]
    graph: ReachGraph
    ways_in: Mapping[str, str]
    before: Mapping[str, str]
    running: frozenset[str]
    reached: dict[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def of(cls, inventory: Inventory) -> _Ranking:
        graph = reach_graph(inventory)
        ways_in = entrances(inventory.facts, graph)
        running = frozenset(
            fact.asset
            for fact in inventory.facts
            if fact.kind == "code.tool" and _runs(fact.value.get("capabilities"))
        )
        assets = {each.id: each for each in inventory.assets}
        return cls(assets, graph, ways_in, graph.flood(ways_in), running)

    def rank(self, finding: Finding) -> Finding:
        """Return `finding` with what the graph says of it."""
        node = self.graph.start(finding.asset, finding.location.path)
        own = self.assets.get(finding.asset)
        context = context_of(finding.location.path, None if node != finding.asset else own)
        opened, how = self._outside(node)
        if node not in self.reached:
            self.reached[node] = self._inside(node)
        worth, what = self.reached[node]
        score = (_BASE[finding.severity] + opened + worth) * WEIGHTS.get(context, 1.0)
        beside = f"beside the product ({context})" if context else ""
        reason = "; ".join(part for part in (how, what, beside) if part)
        return replace(finding, exposure=round(score), reason=reason)

    def _outside(self, node: str) -> tuple[int, str]:
        """Return what being reachable adds, and how an outsider comes."""
        steps = way(self.before, node)
        if not steps:
            return 0, ""
        how = f"reachable from {self.ways_in[steps[0]]}"
        names = list(dict.fromkeys(self._name(each) for each in steps[:-1]))[:_MOST_NAMES]
        distance = min(len(steps) - 1, len(_OPEN) - 1)
        return _OPEN[distance], visible(f"{how} through {' → '.join(names)}" if names else how)

    def _inside(self, node: str) -> tuple[int, str]:
        """Return what the things that `node` leads to add, and which they are."""
        counts = Counter(
            kind
            for each in self.graph.within(node, DEPTH)
            if each != node
            for kind in self._kind(each)
        )
        worth = min(
            sum(_WORTH[kind] * min(count, _NAMED) for kind, count in counts.items()), _MOST_REACHED
        )
        named = [
            _counted(counts[kind], _WORDS.get(kind, kind))
            for kind, each in _WORTH.items()
            if counts[kind] and each > 1
        ]
        return worth, f"reaches {', '.join(named[:_NAMED])}" if named else ""

    def _kind(self, node: str) -> Iterator[str]:
        """Yield the key of `_WORTH` that a node counts as, if it does."""
        if node.startswith(CREDENTIAL):
            yield _CREDENTIAL
        elif node in self.running:
            yield _RUNS
        elif (asset := self.assets.get(node)) and asset.kind in _WORTH:
            yield asset.kind

    def _name(self, node: str) -> str:
        asset = self.assets.get(node)
        return (asset.name if asset else node.partition(":")[2])[:60]


def _runs(capabilities: object) -> bool:
    return isinstance(capabilities, Sequence) and any(
        each in capabilities for each in ("shell", "code")
    )


def _counted(count: int, word: str) -> str:
    return f"1 {word}" if count == 1 else f"{count} {_PLURALS.get(word, word + 's')}"
