"""Tools that Python code offers to agents, and what they can do."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keepwall.discover.catalogue import Catalogue, listed
from keepwall.formats.source.model import Call, Function, Module
from keepwall.vocabulary.json_value import JsonValue

_LONGEST_NAME = 64
_RUNS = ("_call", "invoke", "_run", "_arun", "forward", "run", "call", "__call__", "execute")


@dataclass(frozen=True, slots=True)
class ToolDefinition:
    """A function offered to an agent; `functions` are those whose bodies it runs.

    `decorator` is what made it a tool, dotted, where a decorator did.
    """

    name: str
    framework: str
    description: str
    functions: tuple[str, ...]
    line: int
    decorator: str = ""


def find_tools(module: Module, catalogue: Catalogue) -> Iterator[ToolDefinition]:
    """Yield the tools of `module`: decorated functions, classes, and functions handed over."""
    known = {function.name: function for function in module.functions}
    for function in module.functions:
        yield from _decorated(function, catalogue)
    yield from _classes(module, known, catalogue)
    yield from _constructed(module, known, catalogue)
    yield from _described(module, catalogue)


def _decorated(function: Function, catalogue: Catalogue) -> Iterator[ToolDefinition]:
    for decorator in function.decorators:
        framework = catalogue.calls["tool_decorators"].get(decorator.function)
        if framework is not None:
            given = decorator.arguments.get("name") or decorator.arguments.get("name_override")
            if framework != "mcp":
                given = given or decorator.arguments.get("0")
            yield ToolDefinition(
                _text(given) or function.name.rpartition(".")[2],
                framework,
                _text(decorator.arguments.get("description")) or function.documentation,
                (function.name,),
                function.line,
                decorator.function,
            )


def _classes(
    module: Module, known: Mapping[str, Function], catalogue: Catalogue
) -> Iterator[ToolDefinition]:
    for each in module.classes:
        framework = next(filter(None, map(catalogue.calls["tool_bases"].get, each.bases)), None)
        runs = tuple(f"{each.name}.{name}" for name in _RUNS if f"{each.name}.{name}" in known)
        if framework is not None and runs:
            yield ToolDefinition(
                _text(each.attributes.get("name")) or each.name,
                framework,
                _text(each.attributes.get("description")) or each.documentation,
                runs,
                each.line,
            )


def _constructed(
    module: Module, known: Mapping[str, Function], catalogue: Catalogue
) -> Iterator[ToolDefinition]:
    for call in module.calls:
        framework, *places = catalogue.calls["tool_constructors"].get(call.function, [""])
        names = [name.lstrip(":") for place in places for name in call.references.get(place, ())]
        local = next((name for name in names if name in known), "")
        name = _text(call.arguments.get("name")) or local
        if framework and name:  # the function may stand in another file
            about = known[local].documentation if local else ""
            text = _text(call.arguments.get("description")) or about
            yield ToolDefinition(name, framework, text, (local or name,), call.line, call.function)


def _described(module: Module, catalogue: Catalogue) -> Iterator[ToolDefinition]:
    """Yield the tools that tables of a module describe, where it is about AI."""
    server = next(
        (call.function for call in module.calls if call.function in catalogue.calls["mcp_servers"]),
        "",
    )
    if not server and not any(catalogue.imported(each.name) for each in module.imports):
        return
    for each in module.offers:
        functions = (each.function or each.name,)
        framework = "mcp" if server else "json-schema"
        yield ToolDefinition(each.name, framework, each.description, functions, each.line, server)


def _text(value: JsonValue) -> str:
    return value if isinstance(value, str) else ""


def calls_by_scope(module: Module) -> dict[str, list[Call]]:
    """Return the calls of each function body, by the qualified name of the function."""
    bodies: dict[str, list[Call]] = {}
    for call in module.calls:
        bodies.setdefault(call.scope, []).append(call)
    return bodies


def capabilities(
    tool: ToolDefinition, bodies: dict[str, list[Call]], catalogue: Catalogue
) -> list[JsonValue]:
    """Return what the tool can do, through the functions of its own module too."""
    found: dict[str, None] = {}
    waiting, seen = list(tool.functions), set(tool.functions)
    while waiting:
        scope = waiting.pop()
        owner = scope.rpartition(".")[0]
        for call in bodies.get(scope, ()):
            for capability, names in catalogue.capabilities.items():
                if listed(call.function.removesuffix(".__call__"), names):
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


def schema_tools(call: Call) -> Iterator[ToolDefinition]:
    """Yield the tools that `call` hands to the API of a model as JSON schemas.

    Known are the forms of OpenAI (``function``, also flat), Anthropic (``input_schema``), Bedrock
    (``toolSpec``) and Google (``function_declarations``).
    """
    given = call.arguments.get("tools")
    for each in given if isinstance(given, list) else ():
        if not isinstance(each, dict):
            continue
        declared = each.get("function_declarations")
        for table in declared if isinstance(declared, list) else (each,):
            inner = table if isinstance(table, dict) else {}
            for key in ("function", "toolSpec"):
                value = inner.get(key)
                inner = value if isinstance(value, dict) else inner
            name = _text(inner.get("name"))
            if name and len(name) <= _LONGEST_NAME:
                text = _text(inner.get("description"))
                yield ToolDefinition(name, "json-schema", text, (call.scope,), call.line)
