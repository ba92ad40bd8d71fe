"""Resources of templates other than Terraform: which are AI, and how they hang together."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources as package_files
from typing import Any

from keepwall.discover.containers import observe_image
from keepwall.discover.hosted_models import hosted_model
from keepwall.discover.model_names import ModelName
from keepwall.discover.source import FileView, TreeContext, asset, hidden_value, uses
from keepwall.formats.declared import Declared, at, is_literal, references, texts
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_RUNS_AS = re.compile(r"(?i)role(?:_?arn)?\Z|serviceaccount|identity")
_READS = re.compile(r"(?i)bucket|s3uri|modeldataurl|storage|artifact")
_IMAGE = re.compile(r"(?i)image(?:uri)?\Z")
_NAMES = ("name", "Name", "FunctionName", "BucketName", "kind", "Engine")
_PROVIDERS = re.compile(r"foundation-model/|inference-profile/")


@dataclass(frozen=True, slots=True)
class Template:
    """One file's resources: `syntax` is the first word of their keys and the facts' source."""

    syntax: str
    resources: Sequence[Declared]


def observe_template(
    template: Template, view: FileView, context: TreeContext
) -> Iterator[Observation]:
    """Yield the resources that are AI with what they use; every one is told as a fact."""
    chosen = dict(_chosen(template, context))
    names = {each.name: each for each in template.resources}
    for each in template.resources:
        holder = context.project
        if about := chosen.get(each.name):
            holder = _asset(template, each, about, view, context)
            view.holders.append((each.line, holder))
            yield holder
            yield uses(context.project, holder)
            yield from _relations(template, each, names, chosen, holder, view)
            yield from _model(each, about, holder, view, context)
            yield from _program(each, holder, view, context)
        value: dict[str, JsonValue] = {
            "type": each.type,
            "name": each.name,
            "attributes": hidden_value("", dict(each.properties)),
            "source": template.syntax,
        }
        yield Fact("infrastructure.resource", holder.id, value, view.path, each.line)


def about(type_: str) -> Mapping[str, Any]:
    """Return the entry of the longest prefix of a type, none where it is of no interest."""
    known: Mapping[str, Mapping[str, Any]] = declared_data()["resources"]
    name = type_.lower() if "::" not in type_ else type_
    for end in range(len(name), 2, -1):
        entry = known.get(name[:end])
        if entry and (end == len(name) or not entry.get("exact")):
            return {} if entry.get("skip") else _at_its_own_level(entry, name[end:])
    return {}


def _at_its_own_level(entry: Mapping[str, Any], rest: str) -> Mapping[str, Any]:
    """Return the entry; parts of an Azure resource (rules, roles) are no assets of their own."""
    return {} if rest.startswith("/") else entry


def _chosen(template: Template, context: TreeContext) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the names of the resources of interest with what each is."""
    data = declared_data()
    rights = re.compile(data["compute"]["rights"])
    granted: set[str] = set()
    for each in template.resources:
        if any(rights.match(text) for _, text in texts(dict(each.properties))):
            granted |= {each.name, *(name for _, name in references(dict(each.properties)))}
    running: set[str] = set()
    compute = [each for each in template.resources if each.type in data["compute"]["types"]]
    for _ in range(2):  # a service runs a task that uses AI
        for each in compute:
            named = {name for _, name in references(dict(each.properties))}
            if each.name in granted or named & (granted | running) or _uses_ai(each, context):
                running.add(each.name)
    for each in template.resources:
        if known := about(each.type):
            yield each.name, known
        elif each.name in running:
            surface = "agent" if "StateMachine" in each.type else "inference"
            yield each.name, {"surface": surface, "service": each.type}
        elif _is_vector_database(each, context):
            yield each.name, {"surface": "data", "service": "PostgreSQL with pgvector"}


def _uses_ai(declared: Declared, context: TreeContext) -> bool:
    """Return whether the image or a variable of what is run is of AI."""
    services, models = context.catalogue.services, context.catalogue.models
    for field, text in _settings(declared.properties):
        if any(services.configured(field)) or any(services.addressed(text)):
            return True
        if models.holds_model(field) and models.recognise(text, field):
            return True
    return any(
        any(services.contained(text))
        for field, text in texts(dict(declared.properties))
        if _IMAGE.search(field) and is_literal(text)
    )


def _settings(properties: Mapping[str, JsonValue]) -> Iterator[tuple[str, str]]:
    """Yield the variables of a program: as a table, or as entries with name and value."""
    waiting: list[JsonValue] = [dict(properties)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, Mapping):
            name = value.get("Name", value.get("name"))
            given = value.get("Value", value.get("value"))
            if isinstance(name, str) and name.isupper() and isinstance(given, str):
                yield name, given if is_literal(given) else ""
                continue
            for key, each in value.items():
                if key.isupper() and isinstance(each, str):
                    yield key, each if is_literal(each) else ""
                else:
                    waiting.append(each)


def _is_vector_database(declared: Declared, context: TreeContext) -> bool:
    databases = declared_data()["databases"]
    type_ = declared.type if "::" in declared.type else declared.type.lower()
    if type_ not in databases["types"]:
        return False
    engine = str(declared.properties.get("Engine", ""))
    if "::" in type_ and not re.search(databases["engine"], engine):
        return False
    return _names_vectors(context)


def _names_vectors(context: TreeContext) -> bool:
    """Return whether a manifest within three folders of the top asks for the vector extension."""
    pattern = re.compile(declared_data()["databases"]["vector"])
    waiting, looked = [("", 0)], 0
    while waiting and looked < 60:  # noqa: PLR2004 - folders that are looked into
        folder, depth = waiting.pop(0)
        looked += 1
        for name in context.near.files(folder):
            if not re.match(
                r"(?:requirements.*\.(?:txt|in)|pyproject\.toml|package\.json)\Z", name
            ):
                continue
            path = f"{folder}/{name}" if folder else name
            data = context.near.read(path, context.limits.source_bytes)
            if data and pattern.search(data.decode("utf-8", "replace")):
                return True
        if depth < 3:  # noqa: PLR2004 - as the docstring says
            skipped = context.catalogue.files["skipped_directories"]
            waiting += [
                (f"{folder}/{each}" if folder else each, depth + 1)
                for each in context.near.folders(folder)
                if each not in skipped
            ]
    return False


def _asset(
    template: Template,
    declared: Declared,
    known: Mapping[str, Any],
    view: FileView,
    context: TreeContext,
) -> Asset:
    attributes = {"type": declared.type, "service": str(known["service"])}
    for name in _NAMES:
        value = declared.properties.get(name)
        if isinstance(value, str) and is_literal(value):
            attributes[name.lower()] = str(hidden_value(name, value))[:200]
    return asset(
        context,
        AssetKind.CLOUD_RESOURCE,
        f"{template.syntax}/{view.path}#{declared.name}",
        declared.name,
        Surface(known["surface"]),
        view.at(declared.line),
        attributes,
    )


def _relations(
    template: Template,
    declared: Declared,
    names: Mapping[str, Declared],
    chosen: Mapping[str, Mapping[str, Any]],
    holder: Asset,
    view: FileView,
) -> Iterator[Relation]:
    """Yield what a resource refers to among those that are assets."""
    seen: set[tuple[str, RelationKind]] = set()
    for field, name in references(dict(declared.properties)):
        if name not in names or name not in chosen or name == declared.name:
            continue
        kind = (
            RelationKind.RUNS_AS
            if _RUNS_AS.search(field)
            else RelationKind.READS
            if _READS.search(field)
            else RelationKind.USES
        )
        if (name, kind) not in seen:
            seen.add((name, kind))
            target = f"cloud-resource:{template.syntax}/{view.path}#{name}"
            yield Relation(holder.id, kind, target)


def _model(
    declared: Declared,
    known: Mapping[str, Any],
    holder: Asset,
    view: FileView,
    context: TreeContext,
) -> Iterator[Observation]:
    """Yield the model that a resource deploys, where it is named by a literal."""
    name = at(dict(declared.properties), str(known.get("model", "")) or "-")
    name = _PROVIDERS.split(name)[-1]
    if name:
        revision = at(dict(declared.properties), str(known.get("revision", "")) or "-")
        found = ModelName(str(known["provider"]), name)
        yield from deployed_model(found, revision, declared, holder, view, context)


def deployed_model(
    model: ModelName,
    revision: str,
    declared: Declared,
    holder: Asset,
    view: FileView,
    context: TreeContext,
) -> Iterator[Observation]:
    """Yield a model that a resource serves, and the fact that says whether it is pinned."""
    place = Location(view.path, declared.line)
    serves = RelationKind.SERVES
    role = context.catalogue.models.role(model.name)
    yield from hosted_model(model, role, holder, place, context, kind=serves, revision=revision)
    value: dict[str, JsonValue] = {
        "provider": model.provider,
        "name": model.name,
        "revision": revision,
        "pinned": bool(revision) or model.provider == "aws-bedrock",
        "function": declared.type,
    }
    yield Fact("model.reference", holder.id, value, view.path, declared.line)


def _program(
    declared: Declared, holder: Asset, view: FileView, context: TreeContext
) -> Iterator[Observation]:
    """Yield the images that a resource runs and the models that its variables name."""
    place = Location(view.path, declared.line)
    for field, text in texts(dict(declared.properties)):
        if _IMAGE.search(field) and is_literal(text) and ("/" in text or ":" in text):
            yield from observe_image(text, holder, place, context)
    models = context.catalogue.models
    for name, text in _settings(declared.properties):
        if text and models.holds_model(name) and (model := models.recognise(text, name)):
            yield from hosted_model(model, models.role(model.name, name), holder, place, context)


@cache
def declared_data() -> Mapping[str, Any]:
    """Return what ``data/declared.toml`` says; read once, for it never changes."""
    file = package_files.files("keepwall.discover").joinpath("data", "declared.toml")
    return tomllib.loads(file.read_text("utf-8"))
