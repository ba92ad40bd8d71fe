"""The examples that prove a rule: file trees, or facts and assets written down."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TypeVar

from keepwall.rulebook.rule import Example
from keepwall.rulebook.source import Marked
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import FACT_KINDS, Fact
from keepwall.vocabulary.surface import Surface

_Read = TypeVar("_Read")
_MAX_FILES = 50
_MAX_PATH = 200


def examples(node: Marked) -> tuple[Example, ...]:
    """Return the examples in a list with at least one.

    Raises:
        RuleError: an example is empty, leaves its directory, or names an unknown kind.
    """
    return tuple(_example(entry) for entry in node.items())


def _example(node: Marked) -> Example:
    node.keys_within(frozenset({"files", "facts", "assets", "relations"}))
    entries = node.mapping()
    if not entries or ("files" in entries and len(entries) > 1):
        raise node.error("an example holds either files, or facts and assets")
    return Example(
        files=_files(entries["files"]) if "files" in entries else {},
        facts=_each(entries.get("facts"), _fact),
        assets=_each(entries.get("assets"), _asset),
        relations=_each(entries.get("relations"), _relation),
        place=f"{node.origin}:{node.line}",
    )


def _each(node: Marked | None, read: Callable[[Marked], _Read]) -> tuple[_Read, ...]:
    return tuple(read(entry) for entry in node.items()) if node else ()


def _files(node: Marked) -> dict[str, str]:
    files: dict[str, str] = {}
    for name, entry in node.mapping().items():
        path = PurePosixPath(name)
        if path.is_absolute() or ".." in path.parts or not path.parts or len(name) > _MAX_PATH:
            raise entry.error(f"{name!r} is not a relative path inside the example")
        files[name] = _content(entry)
    if not 0 < len(files) <= _MAX_FILES:
        raise node.error(f"an example has between 1 and {_MAX_FILES} files")
    return files


def _content(node: Marked) -> str:
    """Return the text, or the parts below `join` as one (so that no scanner sees a credential)."""
    if isinstance(node.value, dict):
        node.keys_within(frozenset({"join"}), frozenset({"join"}))
        return "".join(part.text() for part in node.value["join"].items())
    return str(node.value) if node.value is not None else ""


def _fact(node: Marked) -> Fact:
    node.keys_within(
        frozenset({"kind", "asset", "value", "path", "line"}), frozenset({"kind", "asset", "value"})
    )
    entries = node.mapping()
    kind = entries["kind"].text()
    if kind not in FACT_KINDS:
        raise entries["kind"].error(f"unknown fact kind {kind!r}")
    line = entries["line"].value if "line" in entries else 0
    return Fact(
        kind=kind,
        asset=entries["asset"].text(),
        value={key: entry.plain() for key, entry in entries["value"].mapping().items()},
        path=entries["path"].text() if "path" in entries else "",
        line=line if isinstance(line, int) else 0,
    )


def _relation(node: Marked) -> Relation:
    names = frozenset({"source", "kind", "target"})
    node.keys_within(names, names)
    entries = {key: entry.text() for key, entry in node.mapping().items()}
    if entries["kind"] not in tuple(RelationKind):
        raise node.error(f"unknown relation {entries['kind']!r}")
    return Relation(entries["source"], RelationKind(entries["kind"]), entries["target"])


def _asset(node: Marked) -> Asset:
    node.keys_within(
        frozenset({"kind", "key", "name", "surface", "owner", "zone", "attributes", "path"}),
        frozenset({"kind", "key", "surface"}),
    )
    entries = {key: entry.value for key, entry in node.mapping().items()}
    attributes = node.mapping().get("attributes")
    try:
        return Asset(
            kind=AssetKind(str(entries["kind"])),
            key=str(entries["key"]),
            name=str(entries.get("name", entries["key"])),
            surface=Surface(str(entries["surface"])),
            locations=(Location(str(entries["path"])),) if "path" in entries else (),
            owner=str(entries.get("owner", "")),
            zone=str(entries.get("zone", "")),
            attributes={key: str(entry.value) for key, entry in attributes.mapping().items()}
            if attributes
            else {},
        )
    except ValueError as error:
        raise node.error(f"not an asset of the vocabulary: {error}") from error
