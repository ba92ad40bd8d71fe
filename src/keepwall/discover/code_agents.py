"""Agents, the tools that they are offered, and MCP servers written in Python."""

from __future__ import annotations

from collections.abc import Iterator

from keepwall.discover.code_tools import (
    ToolDefinition,
    calls_by_scope,
    capabilities,
    find_tools,
)
from keepwall.discover.source import FileView, TreeContext, asset
from keepwall.formats.source.model import Call, Module
from keepwall.vocabulary.asset import Asset, AssetKind, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_SAY_NOTHING = frozenset({"agent", "model", "executor", "agent_executor", "app", "graph", "result"})
"""Variables that hold an agent and do not tell one from another."""


def observe_agents(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield tools with their capabilities, agents with their tools, and MCP servers."""
    tools = {tool.functions[0]: tool for tool in find_tools(module, context.catalogue)}
    bodies = calls_by_scope(module)
    endless = {function.name for function in module.functions if function.endless}
    assets: dict[str, Asset] = {}
    for function, tool in tools.items():
        found = asset(
            context,
            AssetKind.TOOL,
            f"{view.path}#{tool.name}",
            tool.name,
            Surface.AGENT,
            view.at(tool.line),
            {"framework": tool.framework},
        )
        assets[function] = found
        yield found
        yield Relation(holder.id, RelationKind.EXPOSES, found.id)
        value: dict[str, JsonValue] = {
            "name": tool.name,
            "framework": tool.framework,
            "description": tool.description[:1_000],
            "capabilities": capabilities(tool, bodies, context.catalogue),
            "loop": not endless.isdisjoint(tool.functions),
        }
        yield Fact("code.tool", found.id, value, view.path, tool.line)
    yield from _servers(module, view, context, holder, tools, assets)
    yield from _agents(module, view, context, holder, assets)


def _servers(
    module: Module,
    view: FileView,
    context: TreeContext,
    holder: Asset,
    tools: dict[str, ToolDefinition],
    assets: dict[str, Asset],
) -> Iterator[Observation]:
    for call in module.calls:
        if call.function in context.catalogue.calls["mcp_servers"]:
            given = call.arguments.get("0") or call.arguments.get("name")
            name = given if isinstance(given, str) and given else call.target or "mcp"
            found = asset(
                context,
                AssetKind.MCP_SERVER,
                f"python {view.path}",
                name,
                Surface.AGENT,
                view.at(call.line),
                {"language": "python"},
            )
            yield found
            yield Relation(holder.id, RelationKind.EXPOSES, found.id)
            for function, tool in tools.items():
                if tool.decorator.startswith(call.function):
                    yield Relation(found.id, RelationKind.EXPOSES, assets[function].id)


def _agents(
    module: Module, view: FileView, context: TreeContext, holder: Asset, assets: dict[str, Asset]
) -> Iterator[Observation]:
    for call in module.calls:
        framework = context.catalogue.calls["agents"].get(call.function)
        if framework is None:
            continue
        given = call.arguments.get("name") or call.arguments.get("role")
        name = (given if isinstance(given, str) and given else _place_name(call, view))[:100]
        found = asset(
            context,
            AssetKind.AGENT,
            f"{view.path}#{name}",
            name,
            Surface.AGENT,
            view.at(call.line),
            {"framework": framework},
        )
        yield found
        yield Relation(holder.id, RelationKind.USES, found.id)
        for names in (call.references.get("tools", ()), call.references.get("1", ())):
            for each in names:
                if (tool := assets.get(each.lstrip(":"))) is not None:
                    yield Relation(found.id, RelationKind.CALLS, tool.id)


def _place_name(call: Call, view: FileView) -> str:
    """Return what an agent without a name is called: its variable, its function, or its file."""
    stem = view.path.rpartition("/")[2].partition(".")[0]
    variable = call.target.removeprefix("self.").strip("_")
    names = (variable if variable not in _SAY_NOTHING else "", call.scope, variable, stem)
    return next(filter(None, names))
