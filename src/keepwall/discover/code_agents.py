"""Agents, the tools that they are offered, and MCP servers written in Python."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.discover.catalogue import Catalogue, listed
from keepwall.discover.source import FileView, TreeContext, asset
from keepwall.formats.source.model import Call, Module
from keepwall.vocabulary.asset import Asset, AssetKind, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_RUNS = ("_run", "_arun", "forward", "run", "call", "__call__", "execute")


@dataclass(frozen=True, slots=True)
class _Tool:
    """A tool before it is told: `functions` are those whose bodies it runs."""

    name: str
    framework: str
    description: str
    functions: tuple[str, ...]
    line: int
    server: str = ""


def observe_agents(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield tools with their capabilities, agents with their tools, and MCP servers."""
    tools = {tool.functions[0]: tool for tool in _tools(module, context.catalogue)}
    bodies = _bodies(module)
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
            "capabilities": _capabilities(tool, bodies, context.catalogue),
            "loop": False,
        }
        yield Fact("code.tool", found.id, value, view.path, tool.line)
    yield from _servers(module, view, context, holder, tools, assets)
    yield from _agents(module, view, context, holder, assets)


def _tools(module: Module, catalogue: Catalogue) -> Iterator[_Tool]:
    known = {function.name: function for function in module.functions}
    for function in module.functions:
        for decorator in function.decorators:
            framework = catalogue.calls["tool_decorators"].get(decorator.function)
            if framework is not None:
                given = decorator.arguments.get("name") or decorator.arguments.get("name_override")
                given = given or (decorator.arguments.get("0") if framework != "mcp" else None)
                name = given if isinstance(given, str) and given.isprintable() else ""
                about = decorator.arguments.get("description")
                yield _Tool(
                    name or function.name.rpartition(".")[2],
                    framework,
                    about if isinstance(about, str) else function.documentation,
                    (function.name,),
                    function.line,
                    decorator.function,
                )
    for each in module.classes:
        framework = next(filter(None, map(catalogue.calls["tool_bases"].get, each.bases)), None)
        runs = tuple(f"{each.name}.{name}" for name in _RUNS if f"{each.name}.{name}" in known)
        if framework is not None and runs:
            name = each.attributes.get("name")
            about = each.attributes.get("description")
            yield _Tool(
                name if isinstance(name, str) and name else each.name,
                framework,
                about if isinstance(about, str) else each.documentation,
                runs,
                each.line,
            )
    for call in module.calls:
        rule = catalogue.calls["tool_constructors"].get(call.function)
        if rule is not None:
            names = [name for key in rule[1:] for name in call.references.get(key, ())]
            local = next((name.lstrip(":") for name in names if name.lstrip(":") in known), "")
            if local:
                given, about = call.arguments.get("name"), call.arguments.get("description")
                yield _Tool(
                    given if isinstance(given, str) else local,
                    rule[0],
                    about if isinstance(about, str) else known[local].documentation,
                    (local,),
                    call.line,
                )


def _bodies(module: Module) -> dict[str, list[Call]]:
    bodies: dict[str, list[Call]] = {}
    for call in module.calls:
        bodies.setdefault(call.scope, []).append(call)
    return bodies


def _capabilities(
    tool: _Tool, bodies: dict[str, list[Call]], catalogue: Catalogue
) -> list[JsonValue]:
    """Return what the tool can do, through the functions of its own module too."""
    found: dict[str, None] = {}
    waiting, seen = list(tool.functions), set(tool.functions)
    while waiting:
        scope = waiting.pop()
        owner = scope.rpartition(".")[0]
        for call in bodies.get(scope, ()):
            for capability, names in catalogue.capabilities.items():
                if listed(call.function, names):
                    found.setdefault(capability)
            local = call.function.lstrip(":")
            if local.startswith("self."):
                local = f"{owner}.{local[5:]}"
            if call.function.startswith(":") and local in bodies and local not in seen:
                seen.add(local)
                waiting.append(local)
        for inner in bodies:
            if inner.startswith(f"{scope}.") and inner not in seen:
                seen.add(inner)
                waiting.append(inner)
    return [name for name in catalogue.capabilities if name in found]


def _servers(  # noqa: PLR0913 - a module and what was found in it
    module: Module,
    view: FileView,
    context: TreeContext,
    holder: Asset,
    tools: dict[str, _Tool],
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
                if tool.server.startswith(call.function):
                    yield Relation(found.id, RelationKind.EXPOSES, assets[function].id)


def _agents(
    module: Module, view: FileView, context: TreeContext, holder: Asset, assets: dict[str, Asset]
) -> Iterator[Observation]:
    for call in module.calls:
        framework = context.catalogue.calls["agents"].get(call.function)
        if framework is None:
            continue
        given = call.arguments.get("name") or call.arguments.get("role") or call.target
        if not (isinstance(given, str) and given):
            given = call.scope or call.function.rpartition(".")[2]
        name = given[:100]
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
