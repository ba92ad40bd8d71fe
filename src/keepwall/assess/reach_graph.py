"""The graph of what can be got at from where: assets, the code files that hold them, credentials.

Whoever has an asset gets at what it uses, reads, calls and serves; what exposes something is got
at through it. A project, a host or a library says nothing of that kind: everything hangs on it, so
no way leads through one. In their place stands the file in which something was seen.
"""

from __future__ import annotations

import posixpath
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from keepwall.vocabulary.asset import Asset, AssetKind, RelationKind, asset_id
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Inventory

HUBS = frozenset({AssetKind.PROJECT, AssetKind.HOST, AssetKind.LIBRARY})
_WRITTEN_IN = frozenset({AssetKind.AGENT, AssetKind.TOOL, AssetKind.MCP_SERVER, AssetKind.PROMPT})
_USED_IN = frozenset(
    {
        AssetKind.HOSTED_MODEL,
        AssetKind.DATASET,
        AssetKind.VECTOR_STORE,
        AssetKind.MODEL_REGISTRY,
    }
)
_CODE = (".py", ".js", ".ts", ".mjs", ".tsx", ".jsx")
_FILE, CREDENTIAL = "file:", "credential:"
_SECRET_WORDS = ("KEY", "TOKEN", "SECRET", "PASSWORD", "CREDENTIAL")
_MOST_EDGES = 1_000


@dataclass(frozen=True, slots=True)
class ReachGraph:
    """Edges by node; a node is an asset id, ``file:path`` or ``credential:holder:name``."""

    edges: Mapping[str, Sequence[str]]
    hubs: frozenset[str]

    def start(self, asset: str, path: str) -> str:
        """Return the node at which something that was seen in `path` of `asset` stands."""
        return f"{_FILE}{path}" if asset in self.hubs else asset

    def flood(self, sources: Iterable[str]) -> dict[str, str]:
        """Return every node that `sources` lead to, with the node before it on a shortest way.

        A source has an empty text before it.
        """
        before = dict.fromkeys(sources, "")
        waiting = deque(before)
        while waiting:
            node = waiting.popleft()
            for target in self.edges.get(node, ()):
                if target not in before:
                    before[target] = node
                    waiting.append(target)
        return before

    def within(self, start: str, depth: int) -> Iterator[str]:
        """Yield `start` and what it leads to in `depth` steps, over `_MOST_EDGES` edges at most."""
        seen, level, left = {start}, [start], _MOST_EDGES
        yield start
        for _ in range(depth):
            following: list[str] = []
            for node in level:
                for target in self.edges.get(node, ())[:left]:
                    left -= 1
                    if target not in seen:
                        seen.add(target)
                        following.append(target)
                        yield target
            level = following


def way(before: Mapping[str, str], node: str) -> list[str]:
    """Return the nodes from a source to `node`, both included; nothing where none leads there."""
    found: list[str] = []
    while node in before:
        found.append(node)
        node = before[node]
    return found[::-1]


def credential_names(value: Mapping[str, JsonValue]) -> list[str]:
    """Return the variables of a fact's environment that hold a credential, by their names."""
    environment = value.get("environment")
    if isinstance(
        environment, Mapping
    ):  # a value that is left out is a credential, or from elsewhere
        names = [name for name, text in environment.items() if text is None]
    elif isinstance(environment, Sequence) and not isinstance(environment, str):
        names = [name for name in environment if isinstance(name, str)]
    else:
        return []
    return [name for name in names if any(word in name.upper() for word in _SECRET_WORDS)]


def reach_graph(inventory: Inventory) -> ReachGraph:
    """Return the graph of `inventory`; time and size grow with its assets, relations and facts."""
    hubs = frozenset(each.id for each in inventory.assets if each.kind in HUBS)
    edges: dict[str, dict[str, None]] = {}

    def lead(source: str, target: str) -> None:
        if source != target and source not in hubs and target not in hubs:
            edges.setdefault(source, {})[target] = None

    for relation in inventory.relations:
        lead(relation.source, relation.target)
        if relation.kind in (RelationKind.EXPOSES, RelationKind.SERVES):
            lead(relation.target, relation.source)
    for asset in inventory.assets:
        for source, target in _written(asset):
            lead(source, target)
    _from_facts(inventory.facts, hubs, lead)
    _started(inventory, lead)
    return ReachGraph({node: tuple(targets) for node, targets in edges.items()}, hubs)


class _Lead(Protocol):
    """Adds an edge."""

    def __call__(self, source: str, target: str) -> None:
        """Say that whoever has `source` gets at `target`."""


def _written(asset: Asset) -> Iterator[tuple[str, str]]:
    """Yield the edges between an asset and the code that it is written or used in."""
    for place in asset.locations:
        if place.path.endswith(_CODE):
            if asset.kind in _WRITTEN_IN:
                yield f"{_FILE}{place.path}", asset.id
                yield asset.id, f"{_FILE}{place.path}"
            elif asset.kind in _USED_IN:
                yield f"{_FILE}{place.path}", asset.id
    if folder := asset.attributes.get("build"):
        for place in asset.locations:
            built_by = posixpath.join(posixpath.dirname(place.path), folder, "Dockerfile")
            yield asset.id, asset_id(AssetKind.BUILD, built_by)


def _from_facts(facts: Iterable[Fact], hubs: Collection[str], lead: _Lead) -> None:
    for fact in facts:
        holder = f"{_FILE}{fact.path}" if fact.asset in hubs else fact.asset
        if fact.kind == "secret.present":
            name = f"{fact.value.get('detector')} {fact.value.get('masked')}"
            lead(holder, f"{CREDENTIAL}{holder}:{name}")
        elif fact.kind in ("container.spec", "command.line", "mcp.server"):
            for name in credential_names(fact.value):
                lead(holder, f"{CREDENTIAL}{holder}:{name}")


def _started(inventory: Inventory, lead: _Lead) -> None:
    """Add the edges from a command line to the one file of the tree that it starts."""
    files = {f.path for f in inventory.facts if f.path.endswith(_CODE)}
    files |= {p.path for a in inventory.assets for p in a.locations if p.path.endswith(_CODE)}
    for fact in inventory.facts:
        argv = fact.value.get("argv") if fact.kind == "command.line" else None
        if not isinstance(argv, Sequence) or isinstance(argv, str):
            continue
        folder = posixpath.dirname(fact.path)
        for word in argv:
            if isinstance(word, str) and not word.startswith("-"):
                for path in _named_file(word):
                    whole = posixpath.normpath(posixpath.join(folder, path))
                    if whole in files:
                        lead(fact.asset, f"{_FILE}{whole}")


def _named_file(word: str) -> Iterator[str]:
    """Yield the files that a word of a command may mean: ``a/b.py``, or the module ``a.b:c``."""
    if word.endswith(_CODE):
        yield word.lstrip("/")
        yield posixpath.basename(word)
    else:
        module = word.partition(":")[0]
        if module.replace(".", "").replace("_", "").isalnum():
            yield f"{module.replace('.', '/')}.py"
