"""Python modules: libraries, calls, models, data sets, tools and agents."""

from __future__ import annotations

from collections.abc import Iterator

from keepwall.discover.catalogue import listed
from keepwall.discover.code_agents import observe_agents
from keepwall.discover.code_flows import observe_flows
from keepwall.discover.code_mcp import observe_mcp
from keepwall.discover.code_models import observe_texts
from keepwall.discover.code_prompts import observe_prompts
from keepwall.discover.code_references import (
    bucket_references,
    called_model,
    dataset_reference,
    model_reference,
)
from keepwall.discover.endpoints import observe_code_endpoints
from keepwall.discover.services import observe_services
from keepwall.discover.source import (
    FileView,
    Source,
    TreeContext,
    hidden_value,
    library_asset,
    uses,
)
from keepwall.discover.training import observe_pipelines, observe_training
from keepwall.formats.source.model import Call, Module
from keepwall.formats.source.python import read_python
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_ROOTS = frozenset({"src", "lib", "python", "backend"})
_VERIFICATION = ("verify", "ssl", "verify_ssl", "cert_reqs")


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith((".py", ".pyw"))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    limit = context.limits.source_bytes
    module = read_python(view.data, limit=limit, package=package_of(view.path))
    yield from observe_module(module, view, context, context.project)
    yield from observe_flows(module, view, context.catalogue, context.project)


def package_of(path: str) -> str:
    """Return the package that the module at `path` lies in, as far as its folders tell."""
    parts = path.split("/")[:-1]
    first = [at for at, each in enumerate(parts, 1) if each in _ROOTS or not each.isidentifier()]
    return ".".join(parts[first[-1] if first else 0 :])


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
    yield from observe_texts(module.texts, _claimed(module, context), view, context, holder)
    yield from observe_services(module, view, context, holder)
    yield from observe_code_endpoints(module, view, context, holder)
    yield from observe_agents(module, view, context, holder)
    yield from bucket_references(module, view, context, holder)
    yield from observe_training(module, view, context, holder)
    yield from observe_pipelines(module, view, context, holder)
    yield from observe_mcp(module, view, context, holder)
    yield from observe_prompts(module, view, context, holder)


def _claimed(module: Module, context: TreeContext) -> frozenset[str]:
    """Return the names of models that calls told, as written and as they are called."""
    names: set[str] = set()
    for call in module.calls:
        if found := called_model(call, context.catalogue):
            names.add(found.model.name)
            written = (*call.arguments.values(), *call.defaults.values())
            names.update(
                each for each in written if isinstance(each, str) and found.model.name in each
            )
    return frozenset(names)


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


PYTHON_CODE = Source("python", _wants, _observe)
