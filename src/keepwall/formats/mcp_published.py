"""Servers of MCP that describe themselves: the registry's ``server.json``, and Smithery's file.

Formats: modelcontextprotocol/registry, "server.json"; smithery.ai, "smithery.yaml".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from keepwall.formats.mcp_client import McpServer, described_server

_RUNNERS = {"npm": "npx", "pypi": "uvx", "oci": "docker", "nuget": "dnx"}
_COMMAND = re.compile(r"command\s*:\s*[\"'`]([^\"'`]{1,200})[\"'`]")
_ARGUMENTS = re.compile(r"args\s*:\s*\[([^\]]{0,2000})\]")
_TEXT = re.compile(r"[\"'`]([^\"'`]{1,300})[\"'`]")
_MOST = 50


def registered_servers(document: object) -> Iterator[McpServer]:
    """Yield what a ``server.json`` offers: its packages as they are started, and its addresses."""
    if not isinstance(document, Mapping):
        return
    name = str(document.get("name", ""))[:200] or "server"
    for each in _tables(document.get("packages")):
        kind = str(
            each.get("registryType") or each.get("registry_type") or each.get("registry_name")
        )
        package = str(each.get("identifier") or each.get("name") or "")
        version = str(each.get("version") or "")
        runner = _RUNNERS.get(kind)
        if runner is None or not package:
            continue
        joined = package
        if version and kind != "oci":
            joined = f"{package}{'==' if kind == 'pypi' else '@'}{version}"
        words = ["run", "-i", "--rm", joined] if kind == "oci" else [joined]
        found = described_server(name, {"command": runner, "args": words}, 0)
        if found is not None:
            yield found
    for each in _tables(document.get("remotes")):
        url = each.get("url")
        kind = str(each.get("type") or each.get("transport_type") or "")
        if isinstance(url, str) and "{" not in url:
            transport = "sse" if kind == "sse" else "http"
            found = described_server(name, {"url": url, "type": transport}, 0)
            if found is not None:
                yield found


def smithery_server(document: object, name: str) -> McpServer | None:
    """Return the server that ``startCommand`` starts; its function is read as text, never run."""
    start = document.get("startCommand") if isinstance(document, Mapping) else None
    function = start.get("commandFunction") if isinstance(start, Mapping) else None
    command = _COMMAND.search(function) if isinstance(function, str) else None
    if command is None:
        return None
    written = _ARGUMENTS.search(str(function))
    words = [each[1] for each in _TEXT.finditer(written[1] if written else "")]
    return described_server(name, {"command": command[1], "args": words}, 0)


def _tables(value: object) -> Iterator[Mapping[str, object]]:
    for each in value[:_MOST] if isinstance(value, list) else ():
        if isinstance(each, Mapping):
            yield each
