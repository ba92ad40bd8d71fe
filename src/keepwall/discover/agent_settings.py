"""What settings of agents' clients in a repository allow, and what they run by themselves."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from keepwall.discover.containers import command_fact
from keepwall.discover.host_settings import permissions_in, values_at
from keepwall.discover.source import FileView, TreeContext, without_secrets
from keepwall.formats.dockerfile import shell_words
from keepwall.formats.line_index import LineIndex
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_MOST_HOOKS = 100
_DEPTH = 8


def client_entry(path: str) -> Mapping[str, Any] | None:
    """Return what is known of the settings file at `path`; None where it is none."""
    whole = f"/{path}"
    for pattern, entry in _entries():
        if pattern.search(whole):
            return entry
    return None


def observe_permissions(
    document: object, entry: Mapping[str, Any], view: FileView, context: TreeContext
) -> Iterator[Observation]:
    """Yield what a client may do unasked, and the commands that it runs at its own events."""
    found = permissions_in(document, entry)
    allow = list(found["allow"]) if found else []
    if (
        entry.get("every_server")
        and next(values_at(document, entry["every_server"]), False) is True
    ):
        allow.append("mcp__*")
    if found or allow:
        value = permission_value(entry["client"], allow, found["deny"] if found else [], view.path)
        value["mode"] = visible(found["mode"]) if found else ""
        line = LineIndex(view.text).at('"permissions"')
        yield Fact("agent.permission", context.project.id, value, view.path, line)
    lines = LineIndex(view.text)
    for place in filter(None, [entry.get("hooks")]):
        for table in values_at(document, place):
            for command in list(_commands(table, 0))[:_MOST_HOOKS]:
                line = lines.at(command[:30])
                words = shell_words(command)[:200]
                place_ = Location(view.path, line)
                yield command_fact(words, {}, "script", context.project, place_)


def permission_value(
    client: str, allow: list[str], deny: list[str], file: str
) -> dict[str, JsonValue]:
    """Return the value of an ``agent.permission`` fact, without a mode."""
    return {
        "client": client,
        "allow": [visible(without_secrets(each)) for each in allow],
        "deny": [visible(without_secrets(each)) for each in deny],
        "mode": "",
        "file": file,
    }


def _commands(value: object, depth: int) -> Iterator[str]:
    """Yield the shell commands of a table of hooks."""
    if depth > _DEPTH:
        return
    if isinstance(value, list):
        for each in value:
            yield from _commands(each, depth + 1)
    elif isinstance(value, Mapping):
        command = value.get("command")
        if isinstance(command, str):
            yield command[:4_000]
        for name, each in value.items():
            if name != "command":
                yield from _commands(each, depth + 1)


@cache
def _entries() -> tuple[tuple[re.Pattern[str], Mapping[str, Any]], ...]:
    """Return ``data/repository_clients.toml``; read once, for it never changes."""
    file = resources.files("keepwall.discover").joinpath("data", "repository_clients.toml")
    found = tomllib.loads(file.read_text("utf-8"))["file"]
    return tuple((_ending(each["path"]), each) for each in found)


def _ending(path: str) -> re.Pattern[str]:
    folder, name = posixpath.split(path)
    start = "/" if not name.startswith("*") or folder else ""
    return re.compile(start + re.escape(path).replace(r"\*", "[^/]*") + r"\Z")
