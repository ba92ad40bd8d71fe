"""Configurations of MCP clients: the servers that an agent may start or call."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from keepwall.discover.source import (
    FileView,
    Source,
    TreeContext,
    asset,
    without_secrets,
    words_without_secrets,
)
from keepwall.formats.mcp_client import McpServer, read_mcp_client
from keepwall.vocabulary.asset import Asset, AssetKind, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

CLIENTS = (
    ("claude_desktop_config.json", "claude-desktop"),
    (".cursor/mcp.json", "cursor"),
    (".vscode/mcp.json", "vscode"),
    (".vscode/settings.json", "vscode"),
    (".kiro/settings/mcp.json", "kiro"),
    (".gemini/settings.json", "gemini"),
    (".claude/settings.json", "claude-code"),
    (".claude/settings.local.json", "claude-code"),
    (".claude.json", "claude-code"),
    (".mcp.json", "claude-code"),
    ("cline_mcp_settings.json", "cline"),
    ("mcp_config.json", "windsurf"),
    ("mcp_settings.json", "roo"),
    ("mcp.json", "mcp"),
    ("mcp-config.json", "mcp"),
    ("mcp_servers.json", "mcp"),
)
"""How the path of a client's configuration ends, and which client it is."""


def client_of(path: str) -> str:
    """Return the client whose configuration lies at `path`, or an empty text."""
    return next((client for end, client in CLIENTS if path == end or path.endswith(f"/{end}")), "")


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith(".json") and (
        client_of(path) != "" or posixpath.basename(path).startswith("settings")
    )


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    named = client_of(view.path)
    if b"mcpServers" not in view.data and b"ervers" not in view.data:
        return
    if not named and b"mcpServers" not in view.data:
        return
    for server in read_mcp_client(view.data):
        yield from observe_server(server, named or "mcp", view, context, context.project)


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
        {"transport": server.transport, **({"package": server.package} if server.package else {})},
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
