"""Python modules: libraries, calls, models, data sets, tools and agents."""

from __future__ import annotations

from collections.abc import Iterator

from keepwall.discover.catalogue import listed
from keepwall.discover.code_agents import observe_agents
from keepwall.discover.code_references import dataset_reference, model_reference
from keepwall.discover.source import (
    FileView,
    Source,
    TreeContext,
    hidden_value,
    library_asset,
    uses,
)
from keepwall.formats.source.model import Call, Module
from keepwall.formats.source.python import read_python
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_VERIFICATION = ("verify", "ssl", "verify_ssl", "cert_reqs")


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith((".py", ".pyw"))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    module = read_python(view.data, limit=context.limits.source_bytes)
    yield from observe_module(module, view, context, context.project)


def observe_module(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield what `module` says, as facts about `holder` (the project or a notebook)."""
    yield from _libraries(module, view, context, holder)
    hidden = _secret_values(view)
    for call in module.calls:
        if not _matters(call, context):
            continue
        value: dict[str, JsonValue] = {
            "function": call.function,
            "arguments": {
                name: hidden_value(name, each, hidden) for name, each in call.arguments.items()
            },
        }
        if context.asked(value):
            yield Fact("code.call", holder.id, value, view.path, call.line)
        yield from model_reference(call, view, context, holder)
        yield from dataset_reference(call, view, context, holder)
    yield from observe_agents(module, view, context, holder)
    yield from _prompts(module, view, context, holder)


def _libraries(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    seen: set[str] = set()
    for each in module.imports:
        library = context.catalogue.imported(each.name)
        if library is not None and library.name not in seen:
            seen.add(library.name)
            found = library_asset(library, view.at(each.line))
            yield found
            yield uses(holder, found)


def _matters(call: Call, context: TreeContext) -> bool:
    """Return whether a call is into a library of AI, dangerous, or without verification."""
    function = call.function
    if function.startswith((":", ".")):
        return False
    if listed(function, context.catalogue.dangerous):
        return True
    if context.catalogue.imported(function) is not None:
        return True
    if any(function.startswith(each) for each in context.catalogue.calls["verify_off"]):
        return any(call.arguments.get(name, True) is False for name in _VERIFICATION)
    return dataset_reference_possible(call, context)


def dataset_reference_possible(call: Call, context: TreeContext) -> bool:
    """Return whether the call is one that names a data set."""
    return call.function in context.catalogue.providers["datasets"] and any(
        isinstance(each, str) and "://" in each for each in call.arguments.values()
    )


def _secret_values(view: FileView) -> tuple[str, ...]:
    """Return the credentials of a module, only to leave them out of what is told about it."""
    if view.path.endswith(".ipynb"):
        return ()  # its cells are JSON texts, whose literals are searched one by one
    return tuple({view.text[each.start : each.end] for each in view.secrets})


def _prompts(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield instruction texts: system messages, and the instructions that agents are given."""
    for message in module.messages:
        yield prompt_fact(str(message.value), message.target, view, context, holder, message.line)
    for call in module.calls:
        if context.catalogue.imported(call.function) is None:
            continue
        for name in ("instructions", "system_prompt", "system_message", "system", "backstory"):
            value = call.arguments.get(name)
            if isinstance(value, str) and value:
                yield prompt_fact(value, "system", view, context, holder, call.line)
        if call.function.endswith(".SystemMessage"):
            value = call.arguments.get("content") or call.arguments.get("0")
            if isinstance(value, str):
                yield prompt_fact(value, "system", view, context, holder, call.line)


def prompt_fact(
    text: str, role: str, view: FileView, context: TreeContext, holder: Asset, line: int
) -> Fact:
    """Return the fact about an instruction text: its length and what is odd about it."""
    scanned = text[:200_000]
    markers = [name for name, each in context.catalogue.markers.items() if each.search(scanned)]
    value: dict[str, JsonValue] = {"role": role, "length": len(text), "markers": markers}
    return Fact("prompt.text", holder.id, value, view.path, line)


PYTHON_CODE = Source("python", _wants, _observe)
