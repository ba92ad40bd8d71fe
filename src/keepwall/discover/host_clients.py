"""MCP clients of the users of a host."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from keepwall.discover.host_users import HostUsers
from keepwall.discover.mcp_clients import observe_server
from keepwall.discover.reading import UnreadableError, opened, os_reason, shown_path
from keepwall.discover.secret_facts import observe_secrets
from keepwall.discover.source import FileView, TreeContext
from keepwall.formats.mcp_client import read_mcp_client
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.scan import Observation

_PLACES = (
    (".claude.json", "claude-code"),
    (".mcp.json", "claude-code"),
    (".config/Claude/claude_desktop_config.json", "claude-desktop"),
    ("Library/Application Support/Claude/claude_desktop_config.json", "claude-desktop"),
    (".cursor/mcp.json", "cursor"),
    (".codeium/windsurf/mcp_config.json", "windsurf"),
    (".config/Code/User/mcp.json", "vscode"),
    (".config/Code/User/settings.json", "vscode"),
    (".vscode-server/data/User/mcp.json", "vscode"),
    (".gemini/settings.json", "gemini"),
    (".kiro/settings/mcp.json", "kiro"),
    (".lmstudio/mcp.json", "lm-studio"),
    (".config/zed/settings.json", "zed"),
)


def observe_clients(users: HostUsers, root: Path, context: TreeContext) -> Iterator[Observation]:
    """Yield the MCP servers that users have configured; homes that may not be read are named."""
    for home in users.homes:
        try:
            os.stat(home / ".")  # noqa: PTH116 - asks for the right to enter it
        except FileNotFoundError:
            continue
        except OSError as error:
            yield Unread(_shown(home, root), os_reason(error))
            continue
        for place, client in _PLACES:
            yield from _client(home / place, client, root, context)


def _shown(path: Path, root: Path) -> str:
    return shown_path(f"/{path.relative_to(root)}")


def _client(path: Path, client: str, root: Path, context: TreeContext) -> Iterator[Observation]:
    if not os.path.lexists(path):
        return
    shown = _shown(path, root)
    try:
        with opened(str(path)) as file:
            view = FileView(shown, file.read_at(0, context.limits.bytes_per_file))
        for server in read_mcp_client(view.data):
            yield from observe_server(server, client, view, context, context.project)
    except (UnreadableError, FormatError) as error:
        yield Unread(shown, str(error))
        return
    for match in view.secrets:
        holder = view.holder(match.line, context.project)
        yield from observe_secrets([match], "configuration", view, holder)
