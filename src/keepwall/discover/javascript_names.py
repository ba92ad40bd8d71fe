"""Bring what JavaScript calls things to the names under which they are looked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from keepwall.discover.catalogue import Catalogue
from keepwall.formats.source.model import Call, Module

_FIRST = {"0": "model"}
_SAYS_NOTHING = frozenset({"tool", "dynamicTool", "structuredTool"})
"""Variables that hold a tool and do not tell one from another."""


def renamed(module: Module, catalogue: Catalogue) -> Module:
    """Return `module` with the arguments of calls named as `argument_names` of the data says.

    A tool without a name is called as what it is given to (``{weather: tool({…})}``), and where
    others name that variable, they name the function of the tool.
    """
    tables = catalogue.script["argument_names"]
    tools: Mapping[str, list[str]] = catalogue.calls["tool_constructors"]
    makers = tuple(catalogue.script["model_makers"]["prefixes"])
    known = {function.name for function in module.functions}
    aliases: dict[str, str] = {}
    calls: list[Call] = []
    untyped = catalogue.script["untyped"]
    for found in module.calls:
        call = _typed(found, untyped) if found.function[0] == ":" else found
        names = tables.get(call.function) or (_FIRST if call.function.startswith(makers) else {})
        given = _named(call, names) if names else call
        if call.function in tools:
            given = _tool(given)
            if call.target and (held := _function(given, tools[call.function][1:], known)):
                aliases.setdefault(f":{call.target}", f":{held}")
        calls.append(given)
    if aliases:
        calls = [_followed(call, aliases) for call in calls]
    return replace(module, calls=tuple(calls))


def _typed(call: Call, untyped: Mapping[str, Any]) -> Call:
    """Return a call of a method of a parameter without type as what its shape says that it is.

    Compiled TypeScript has lost its types: ``server.registerTool("name", {…}, async () => …)``.
    """
    holder, _, method = call.function[1:].rpartition(".")
    if method not in untyped["methods"] or holder.lower() not in untyped["receivers"]:
        return call
    name = call.arguments.get("0") or call.arguments.get("name")
    handler = any(each.startswith(":") for names in call.references.values() for each in names)
    described = handler and isinstance(name, str)
    return replace(call, function=untyped["methods"][method]) if described else call


def _named(call: Call, names: Mapping[str, str]) -> Call:
    """Return `call` with some arguments under other names too."""
    arguments, references = dict(call.arguments), dict(call.references)
    defaults = dict(call.defaults)
    for old, new in names.items():
        if arguments.get(new) is None and old in call.arguments:
            arguments[new] = call.arguments[old]
        if old in call.references:
            references.setdefault(new, call.references[old])
        if old in call.defaults:
            defaults.setdefault(new, call.defaults[old])
    return replace(call, arguments=arguments, references=references, defaults=defaults)


def _tool(call: Call) -> Call:
    """Return the call that makes a tool with the name of the tool.

    Where neither name nor description is written there, tools of others are converted: it keeps
    nothing by which it could be taken for one.
    """
    given = call.arguments
    if isinstance(given.get("name"), str):
        return call
    if isinstance(given.get("id"), str):
        return replace(call, arguments={**given, "name": given["id"]})
    if "name" in given or ("description" in given and not isinstance(given["description"], str)):
        return replace(call, references={})
    around = [each for each in call.scope.split(".") if not each.partition("~")[0].endswith("()")]
    last = around[-1] if around else ""
    name = last if last and call.target in _SAYS_NOTHING else call.target or last
    return replace(call, arguments={**given, "name": name}) if name else call


def _function(call: Call, places: list[str], known: set[str]) -> str:
    """Return the key under which a tool is known: its function, else its name."""
    names = (name.lstrip(":") for place in places for name in call.references.get(place, ()))
    given = call.arguments.get("name")
    return next((name for name in names if name in known), given if isinstance(given, str) else "")


def _followed(call: Call, aliases: Mapping[str, str]) -> Call:
    """Return `call` with the variables of tools replaced by what the tools are known as."""
    if not any(name in aliases for names in call.references.values() for name in names):
        return call
    references = {
        place: tuple(aliases.get(name, name) for name in names)
        for place, names in call.references.items()
    }
    return replace(call, references=references)
