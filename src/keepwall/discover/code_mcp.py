"""MCP servers that Python code starts or calls as a client."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keepwall.discover.mcp_clients import observe_server
from keepwall.discover.source import FileView, TreeContext
from keepwall.formats.mcp_client import McpServer, fetched_package
from keepwall.formats.source.model import Call, Module
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_MAXIMUM = 30
_INTERPRETERS = frozenset({"node", "bun", "deno", "tsx", "python", "python3", "npx", "uvx", "uv"})


def observe_mcp(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the servers that clients of MCP in `module` start or call, where literals name them."""
    for call in module.calls:
        client = context.catalogue.calls["mcp_clients"].get(call.function)
        if client is not None:
            for name, table in _tables(call):
                server = _server(name, table, call.line)
                if server is not None:
                    yield from observe_server(server, client, view, context, holder)


def _tables(call: Call) -> Iterator[tuple[str, Mapping[str, JsonValue]]]:
    """Yield every server that the arguments describe, with its name."""
    arguments = call.arguments
    label = arguments.get("name") or arguments.get("server_label")
    name = label if isinstance(label, str) else call.target or call.scope or "mcp"
    flat = dict(arguments)
    first = arguments.get("0")
    if isinstance(first, str) and "url" not in flat and "command" not in flat:
        flat["url" if "://" in first else "command"] = first
        flat.setdefault("args", arguments.get("1"))
    yield name, flat
    for key in ("params", "server_params", "tool_config"):
        value = arguments.get(key)
        if isinstance(value, dict):
            yield name, value
    for key in ("0", "connections", "mcp_servers", "config"):
        value = arguments.get(key)
        inner = value.get("mcpServers", value) if isinstance(value, dict) else None
        for label, table in list(inner.items())[:_MAXIMUM] if isinstance(inner, dict) else ():
            if isinstance(table, dict):
                yield label, table


def _server(name: str, table: Mapping[str, JsonValue], line: int) -> McpServer | None:
    """Return the server that a table describes; None where no literal says which one it is."""
    url = table.get("url") or table.get("server_url") or table.get("server_endpoint")
    command, given = table.get("command"), table.get("args")
    arguments = [str(each) for each in given if each is not None] if isinstance(given, list) else []
    words = command.split() if isinstance(command, str) and not arguments else [command]
    words = [str(each) for each in words if each]
    if isinstance(url, str) and "://" in url:
        words, arguments = [""], []
    elif not words or "://" in words[0]:
        return None
    elif words[0] in _INTERPRETERS and not [*words[1:], *arguments]:
        return None  # which program it runs is not written here
    else:
        url = ""
    package, pinned = fetched_package([*words, *arguments])
    variables = table.get("env")
    return McpServer(
        name=name,
        transport="http" if url else "stdio",
        command=words[0],
        arguments=(*words[1:], *arguments),
        url=str(url),
        environment=dict.fromkeys(variables, "") if isinstance(variables, dict) else {},
        package=package,
        pinned=False if url else pinned,
        line=line,
    )
