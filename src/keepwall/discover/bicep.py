"""Azure's templates: Bicep, and the ARM JSON that it is compiled to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from keepwall.discover.declared_resources import (
    Template,
    declared_data,
    deployed_model,
    observe_template,
)
from keepwall.discover.model_names import ModelName
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.formats.arm import is_arm, read_arm, read_parameters
from keepwall.formats.bicep import BicepFile, read_bicep
from keepwall.formats.declared import Declared, is_literal
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_DEPTH = 20
_MOST_MODELS = 50


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith((".bicep", ".json"))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    if view.path.endswith(".json"):
        if not is_arm(view.data):
            return
        if len(view.data) > context.limits.source_bytes:
            yield Unread(view.path, f"{len(view.data)} bytes, too many to parse")
            return
        yield from observe_template(Template("arm", read_arm(view.data)), view, context)
        return
    if len(view.data) > context.limits.source_bytes:
        yield Unread(view.path, f"{len(view.data)} bytes, too many to parse")
        return
    found = read_bicep(view.text, _given(view, context))
    modules = [each for each in map(_known_module, found.modules) if each]
    resources = [*found.resources, *modules]
    yield from observe_template(Template("bicep", resources), view, context)
    yield from _deployments(found, resources, view, context)


def _given(view: FileView, context: TreeContext) -> dict[str, JsonValue]:
    """Return the values that the parameter file beside a template gives."""
    stem = view.path.removesuffix(".bicep")
    data = context.near.read(f"{stem}.parameters.json", context.limits.source_bytes)
    try:
        return read_parameters(data) if data else {}
    except FormatError:
        return {}  # named where that file itself is read


def _known_module(module: Declared) -> Declared | None:
    """Return a module of a registry as the resource that it stands for."""
    known: Mapping[str, str] = declared_data()["modules"]
    if not module.type.startswith(("br/", "br:", "ts/", "ts:")):
        return None
    kind = next((kind for part, kind in known.items() if part in module.type), "")
    return Declared(module.name, kind, module.properties, module.line) if kind else None


def _deployments(
    found: BicepFile, resources: list[Declared], view: FileView, context: TreeContext
) -> Iterator[Observation]:
    """Yield the models that variables and parameters of modules list for deployment."""
    deployments = dict.fromkeys(_models({"": list(found.values.values())}, 0))
    for each in found.modules:
        deployments |= dict.fromkeys(_models(dict(each.properties), 0))
    first = next(iter((*found.modules, *resources)), Declared("", "module", {}, 0))
    for model, revision in list(deployments)[:_MOST_MODELS]:
        yield from deployed_model(model, revision, first, context.project, view, context)


def _models(value: JsonValue, depth: int) -> Iterator[tuple[ModelName, str]]:
    """Yield models with their versions: an object ``model`` that has a name, and a format."""
    if depth > _DEPTH:
        return
    if isinstance(value, list):
        for each in value:
            yield from _models(each, depth + 1)
    elif isinstance(value, Mapping):
        model = value.get("model")
        if isinstance(model, Mapping):
            name, kind = model.get("name"), model.get("format")
            revision = model.get("version")
            if isinstance(name, str) and is_literal(name) and isinstance(kind, str):
                provider = "azure-openai" if kind == "OpenAI" else "azure-ai"
                known = isinstance(revision, str) and is_literal(revision)
                yield ModelName(provider, name), str(revision) if known else ""
        for each in value.values():
            yield from _models(each, depth + 1)


BICEP = Source("bicep", _wants, _observe)
