"""Configurations of MCP clients: the servers that an agent may start or call."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from typing import Any

from keepwall.discover.agent_settings import client_entry, observe_permissions
from keepwall.discover.host_settings import load_settings, servers_in, values_at
from keepwall.discover.source import (
    FileView,
    Source,
    TreeContext,
    asset,
    without_secrets,
    words_without_secrets,
)
from keepwall.formats.mcp_client import McpServer, described_server, read_mcp_client
from keepwall.formats.mcp_listed import listed_servers
from keepwall.formats.mcp_published import registered_servers, smithery_server
from keepwall.vocabulary.asset import Asset, AssetKind, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_TEXTS = (".yaml", ".yml", ".env", ".json", ".toml")


def _wants(path: str, _context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    return name.endswith(_TEXTS) or name.startswith(".env") or client_entry(path) is not None


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    entry = client_entry(view.path)
    if entry is None:
        yield from _elsewhere(view, context)
        return
    if entry.get("hint", "").encode() not in view.data:
        return
    document = load_settings(view.data, entry["format"])
    for server in _servers(document, entry, view):
        yield from observe_server(server, entry["client"], view, context, context.project)
    yield from observe_permissions(document, entry, view, context)


def _servers(document: object, entry: Mapping[str, Any], view: FileView) -> Iterator[McpServer]:
    """Yield the servers of a client's settings, or the one that a manifest describes."""
    yield from servers_in(document, entry.get("servers", []), view.data)
    if entry.get("registry"):
        yield from registered_servers(document)
    if entry.get("smithery") and (found := smithery_server(document, "server")):
        yield found
    for table in values_at(document, entry["one"]) if "one" in entry else ():
        name = next(values_at(document, entry["name"]), "")
        if isinstance(table, dict) and (found := described_server(str(name)[:200], table, 0)):
            yield found


def _elsewhere(view: FileView, context: TreeContext) -> Iterator[Observation]:
    """Yield the servers that other settings name: a client's table, or JSON in a variable."""
    if b"mcpServers" in view.data and view.name.startswith("settings"):
        servers = read_mcp_client(view.data) if view.name.endswith(".json") else ()
    elif b"MCP" in view.data and len(view.data) <= context.limits.source_bytes:
        servers = listed_servers(view.text)
    else:
        servers = ()
    for server in servers:
        yield from observe_server(server, "variable", view, context, context.project)


def observe_server(
    server: McpServer, client: str, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield a server of a client's configuration; `holder` uses it."""
    found = asset(
        context,
        AssetKind.MCP_SERVER,
        without_secrets(server.key),
        server.name,
        Surface.AGENT,
        view.at(server.line),
        {
            "transport": server.transport,
            **({"package": without_secrets(server.package)} if server.package else {}),
        },
    )
    view.holders.append((server.line, found))
    yield found
    yield Relation(holder.id, RelationKind.USES, found.id)
    value: dict[str, JsonValue] = {
        "name": server.name,
        "transport": server.transport,
        "command": server.command,
        "arguments": list(words_without_secrets(server.arguments)),
        "url": without_secrets(server.url),
        "environment": sorted(server.environment),
        "pinned": server.pinned,
        "client": client,
    }
    yield Fact("mcp.server", found.id, value, view.path, server.line)


MCP_CLIENTS = Source("mcp", _wants, _observe)
