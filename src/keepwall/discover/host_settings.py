"""Settings of AI clients, read by where the data file says that things stand in them."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from keepwall.formats.line_index import LineIndex
from keepwall.formats.mcp_client import McpServer, described_server
from keepwall.formats.safe_json import load_json_with_comments
from keepwall.formats.safe_yaml import YamlLimits, load_yaml
from keepwall.vocabulary.errors import FormatError

_MOST = 500
_DEPTH, _NODES = 64, 200_000


def load_settings(data: bytes, form: str) -> object:
    """Return the document in `data`: JSON (comments are allowed), TOML or YAML.

    Raises:
        FormatError: it is not, or it nests too deep.
    """
    if form == "json":
        return load_json_with_comments(data, depth=_DEPTH)
    if form == "yaml":
        documents = load_yaml(data, YamlLimits(nodes=_NODES, depth=_DEPTH))
        return documents[0] if documents else {}
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise FormatError(f"not TOML: {error}") from error
    except RecursionError as error:
        raise FormatError("not TOML: nested too deep") from error


def values_at(node: object, place: str) -> Iterator[object]:
    """Yield what stands at a dotted place; ``*`` is any key, and a key may itself hold dots."""
    yield from _at(node, place.split("."))


def _at(node: object, parts: list[str]) -> Iterator[object]:
    if not parts:
        yield node
        return
    if not isinstance(node, dict):
        return
    if parts[0] == "*":
        for each in list(node.values())[:_MOST]:
            yield from _at(each, parts[1:])
        return
    for count in range(len(parts), 0, -1):
        key = ".".join(parts[:count])
        if key in node:
            yield from _at(node[key], parts[count:])
            return


def servers_in(document: object, places: list[str], data: bytes) -> Iterator[McpServer]:
    """Yield the MCP servers in the tables at `places`, or in lists there whose items have names."""
    lines = LineIndex(data.decode("utf-8", "replace"))
    for place in places:
        for table in values_at(document, place):
            for name, entry in list(_named(table))[:_MOST]:
                value = _usual(entry)
                quoted = lines.at(f'"{name}"')
                server = described_server(name, value, quoted or lines.at(name))
                if server is not None:
                    yield server


def _named(table: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if isinstance(table, dict):
        yield from ((str(name), each) for name, each in table.items() if isinstance(each, dict))
    elif isinstance(table, list):
        for each in table:
            if isinstance(each, dict) and isinstance(each.get("name"), str):
                yield each["name"], each


def _usual(entry: Mapping[str, Any]) -> Mapping[str, object]:
    """Return a server as most clients write it: command (a text), args, env, url."""
    value: dict[str, object] = dict(entry)
    for usual, others in (
        ("command", ("cmd",)),
        ("env", ("envs", "environment")),
        ("url", ("uri", "httpUrl", "endpoint")),
    ):
        for other in others:
            if usual not in value and other in value:
                value[usual] = value[other]
    command = value.get("command")
    if isinstance(command, dict):  # Zed: {path, args, env}
        value |= {"command": command.get("path"), "args": command.get("args", [])}
        value |= {"env": command["env"]} if isinstance(command.get("env"), dict) else {}
    elif isinstance(command, list):  # OpenCode: all words
        words = [each for each in command if isinstance(each, str)]
        value |= {"command": words[0] if words else None, "args": words[1:]}
    if value.get("type") in ("local", "builtin", "remote", "streamable_http"):
        value["type"] = {"local": "stdio", "remote": "http", "streamable_http": "http"}.get(
            str(value["type"]), ""
        )
    return value


def permissions_in(document: object, entry: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a client may do unasked (allow, deny, mode), or None where it says nothing."""
    allow = _texts(document, entry.get("allow", ()))
    deny = _texts(document, entry.get("deny", ()))
    mode = ""
    for place in entry.get("mode", ()):
        for value in values_at(document, place):
            word = str(value).lower() if isinstance(value, bool) else value
            if not mode and isinstance(word, str):
                mode = entry.get("modes", {}).get(word, word)[:60]
    return {"allow": allow, "deny": deny, "mode": mode} if allow or deny or mode else None


def _texts(document: object, places: list[str]) -> list[str]:
    found: dict[str, None] = {}
    for place in places:
        for value in values_at(document, place):
            if isinstance(value, list):
                found |= {each[:200]: None for each in value[:_MOST] if isinstance(each, str)}
    return list(found)
