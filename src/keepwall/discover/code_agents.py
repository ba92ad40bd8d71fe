"""Agents with their tools, models, prompts and keys, and MCP servers written in Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keepwall.discover.code_links import Links
from keepwall.discover.code_tools import (
    ToolDefinition,
    calls_by_scope,
    capabilities,
    find_tools,
    schema_tools,
)
from keepwall.discover.hosted_models import model_asset
from keepwall.discover.source import FileView, TreeContext, asset, uses
from keepwall.formats.source.model import Call, Module
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_SAY_NOTHING = frozenset({"agent", "model", "executor", "agent_executor", "app", "graph", "result"})
"""Variables that hold an agent and do not tell one from another."""

_ANSWERS = frozenset(
    {"response", "resp", "completion", "reply", "message", "answer", "stream", "r"}
)
"""Variables that hold what a model answered, and so name no agent."""


def observe_agents(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield tools with their capabilities, agents with what they use, and MCP servers."""
    tools: dict[str, ToolDefinition] = {}
    for tool in find_tools(module, context.catalogue):
        shared = tool.functions[0] in tools  # one function may answer for several tools
        tools[tool.name if shared else tool.functions[0]] = tool
    bodies = calls_by_scope(module)
    endless = {function.name for function in module.functions if function.endless}
    assets: dict[str, Asset] = {}
    for function, tool in tools.items():
        assets[function] = tool_asset(tool, view, context)
        yield assets[function]
        yield Relation(holder.id, RelationKind.EXPOSES, assets[function].id)
        able = capabilities(tool, bodies, context.catalogue)
        loop = not endless.isdisjoint(tool.functions)
        yield tool_fact(tool, assets[function], view, able, loop=loop)
    yield from _servers(module, view, context, holder, tools, assets)
    found = _Agents(module, view, context, holder, assets, Links(module, context.catalogue))
    yield from found.observe()


def tool_asset(tool: ToolDefinition, view: FileView, context: TreeContext) -> Asset:
    """Return the asset of a tool."""
    attributes = {"framework": tool.framework}
    key = f"{view.path}#{tool.name}"
    place = view.at(tool.line)
    return asset(context, AssetKind.TOOL, key, tool.name, Surface.AGENT, place, attributes)


def tool_fact(
    tool: ToolDefinition, found: Asset, view: FileView, able: list[JsonValue], *, loop: bool
) -> Fact:
    """Return the fact about a tool."""
    value: dict[str, JsonValue] = {
        "name": tool.name,
        "framework": tool.framework,
        "description": tool.description[:1_000],
        "capabilities": able,
        "loop": loop,
    }
    return Fact("code.tool", found.id, value, view.path, tool.line)


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
            script = call.function.startswith("npm:")
            found = asset(
                context,
                AssetKind.MCP_SERVER,
                f"{'node' if script else 'python'} {view.path}",
                name,
                Surface.AGENT,
                view.at(call.line),
                {"language": "javascript" if script else "python"},
            )
            yield found
            yield Relation(holder.id, RelationKind.EXPOSES, found.id)
            for function, tool in tools.items():
                if tool.decorator.startswith(call.function):
                    yield Relation(found.id, RelationKind.EXPOSES, assets[function].id)


@dataclass(frozen=True, slots=True)
class _Agents:
    """The agents of one module."""

    module: Module
    view: FileView
    context: TreeContext
    holder: Asset
    tools: Mapping[str, Asset]
    links: Links

    def observe(self) -> Iterator[Observation]:
        """Yield the agents that calls make, that classes are, and that call tools by hand."""
        tables = self.context.catalogue.calls
        arguments = tables["agent_arguments"]
        for call in self.module.calls:
            framework = tables["agents"].get(call.function)
            if framework is None and (call.references.get("tools") or call.arguments.get("tools")):
                framework = tables["agent_loops"].get(call.function)
            if framework is not None and "config" not in call.arguments:
                yield from self._agent(call, framework, arguments)
            elif (call.arguments.get("tools") or call.references.get("tools")) and (
                call.function.endswith(tuple(tables["tool_calling"]["functions"]))
            ):
                yield from self._by_hand(call, arguments)
        for each in self.module.classes:
            framework = next(filter(None, map(tables["agent_bases"].get, each.bases)), None)
            if framework is not None:
                name = each.name.rpartition(".")[2]
                agent = self._asset(name, each.line, {"framework": framework})
                yield agent
                yield uses(self.holder, agent)

    def _asset(self, name: str, line: int, attributes: Mapping[str, str]) -> Asset:
        return asset(
            self.context,
            AssetKind.AGENT,
            f"{self.view.path}#{name}",
            name,
            Surface.AGENT,
            self.view.at(line),
            attributes,
        )

    def _agent(
        self, call: Call, framework: str, arguments: Mapping[str, list[str]]
    ) -> Iterator[Observation]:
        given = call.arguments.get("name") or call.arguments.get("role")
        name = (given if isinstance(given, str) and given else self._place_name(call))[:100]
        attributes = {"framework": framework, **self._keys(call, arguments)}
        agent = self._asset(name, call.line, attributes)
        yield agent
        yield uses(self.holder, agent)
        yield from self._model(call, agent, arguments)
        yield from self._tools(call, agent, arguments["tools"])

    def _by_hand(self, call: Call, arguments: Mapping[str, list[str]]) -> Iterator[Observation]:
        """Yield an agent that hands definitions of tools to the API of a model itself."""
        offered = list(schema_tools(call))
        local = [
            each for each in call.references.get("tools", ()) if each.lstrip(":") in self.tools
        ]
        if not offered and not local:
            return
        name = (call.scope or self._place_name(call))[:100]
        attributes = {"framework": "none", **self._keys(call, arguments)}
        agent = self._asset(name, call.line, attributes)
        yield agent
        yield uses(self.holder, agent)
        yield from self._model(call, agent, arguments)
        yield from self._tools(call, agent, ["tools"])
        for tool in offered:
            found = tool_asset(tool, self.view, self.context)
            yield found
            yield tool_fact(tool, found, self.view, [], loop=False)
            yield Relation(agent.id, RelationKind.CALLS, found.id)

    def _keys(self, call: Call, arguments: Mapping[str, list[str]]) -> dict[str, str]:
        """Return the variables through which the agent gets its credentials, as an attribute."""
        names = self.links.variables(call, arguments["model"])
        keys = [each for each in names if each.endswith(("_KEY", "_TOKEN", "_SECRET", "_PAT"))]
        return {"credential": " ".join(keys[:5])} if keys else {}

    def _model(
        self, call: Call, agent: Asset, arguments: Mapping[str, list[str]]
    ) -> Iterator[Observation]:
        place = Location(self.view.path, call.line)
        for model in dict.fromkeys(self.links.models(call, arguments["model"])):
            role = self.context.catalogue.models.role(model.name)
            found = model_asset(model, role, place, self.context)
            yield found
            yield Relation(agent.id, RelationKind.USES, found.id)

    def _tools(self, call: Call, agent: Asset, places: list[str]) -> Iterator[Relation]:
        for place in places:
            for each in call.references.get(place, ()):
                if (tool := self.tools.get(each.lstrip(":"))) is not None:
                    yield Relation(agent.id, RelationKind.CALLS, tool.id)

    def _place_name(self, call: Call) -> str:
        """Return what an agent without a name is called: its variable, function, or file."""
        stem = self.view.path.rpartition("/")[2].partition(".")[0]
        variable = call.target.removeprefix("self.").strip("_")
        telling = "" if variable in _SAY_NOTHING or variable in _ANSWERS else variable
        return next(filter(None, (telling, call.scope, variable, stem)))
