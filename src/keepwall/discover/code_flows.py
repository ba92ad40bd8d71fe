"""Text from outside that reaches a shell, an interpreter, SQL, a path or a URL in one function."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from keepwall.discover.catalogue import Catalogue
from keepwall.discover.code_tools import find_tools
from keepwall.discover.source import FileView
from keepwall.formats.source.flow import Place, Question, Sink, trace
from keepwall.formats.source.model import Call, Module
from keepwall.formats.source.python import decode_source, parse_tree
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue


def observe_flows(
    module: Module, view: FileView, catalogue: Catalogue, holder: Asset
) -> Iterator[Fact]:
    """Yield the flows in a module of Python.

    The source is parsed again, but only where it has both a way in and a place to arrive.
    """
    known = catalogue.calls["flow"]
    sinks = _sinks(module, known)
    if not sinks:
        return
    functions = _functions(module, catalogue, known)
    sources = _sources(module, known)
    if not functions and not sources:
        return
    tree = parse_tree(decode_source(view.data))
    question = Question(functions, sources, sinks, frozenset(known["passes"]))
    for flow in trace(tree, question):
        value: dict[str, JsonValue] = {
            "origin": flow.origin,
            "sink": flow.sink,
            "through": flow.through,
        }
        yield Fact("code.flow", holder.id, value, view.path, flow.line)


def _sinks(module: Module, known: Mapping[str, Any]) -> dict[Place, Sink]:
    """Return the calls that text must not reach.

    A URL is dangerous by its beginning, and text that was fetched may name what is fetched next.
    """
    kinds = {name: kind for kind, names in known["sinks"].items() for name in names}
    found: dict[Place, Sink] = {}
    for call in module.calls:
        kind = kinds.get(call.function)
        if kind is not None and call.scope and not isinstance(call.arguments.get("0"), str):
            harmless = frozenset({"document"}) if kind in ("url", "path") else frozenset()
            found[_place(call)] = Sink(call.function, kind == "url", harmless)
    return found


def _sources(module: Module, known: Mapping[str, Any]) -> dict[Place, str]:
    found: dict[Place, str] = {}
    for origin, names in known["calls"].items():
        ends = tuple(names)
        for call in module.calls:
            if call.scope and call.function.endswith(ends) and not call.function.startswith(":"):
                found[_place(call)] = origin
    return found


def _functions(module: Module, catalogue: Catalogue, known: Mapping[str, Any]) -> dict[str, str]:
    """Return the functions whose parameters are from outside: tools, and handlers of requests."""
    found = {name: "tool" for tool in find_tools(module, catalogue) for name in tool.functions}
    ends, frameworks = tuple(known["handlers"]), tuple(known["frameworks"])
    for function in module.functions:
        for each in function.decorators:
            if each.function.startswith(frameworks) and each.function.endswith(ends):
                found.setdefault(function.name, "request")
    return found


def _place(call: Call) -> Place:
    return call.line, call.function.removesuffix(".__call__").rpartition(".")[2]
