"""Terraform and OpenTofu: the resources, which of them are AI, and how they hang together.

Resources of a folder form one module, so their keys name the folder: references across its files
meet without that a file is read twice.
"""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

import re2  # type: ignore[import-untyped]  # ships no types

from keepwall.discover.accelerators import observe_accelerators
from keepwall.discover.source import FileView, Source, TreeContext, asset, hidden_value, uses
from keepwall.formats.terraform import (
    Block,
    local_values,
    read_terraform,
    read_terraform_json,
    read_variables,
    references,
)
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind, asset_id
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_DEPTH = 20
_FOR_AI = re.compile(r"(?i)\b(?:sagemaker|bedrock|aiplatform|vertex|kendra|openai)\b")
_ROLES = ("aws_iam_role", "google_service_account", "azurerm_user_assigned_identity")


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith((".tf", ".tofu", ".tf.json", ".tfvars"))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    if len(view.data) > context.limits.source_bytes:
        yield Unread(view.path, f"{len(view.data)} bytes, too many to parse")
        return
    if view.path.endswith(".tfvars"):
        place = Location(view.path, 1)
        yield from _devices_of(read_variables(view.data), context.project, place, context)
        return
    if view.path.endswith(".json"):
        blocks, broken = read_terraform_json(view.data), 0
    else:
        blocks, broken = read_terraform(view.data)
    module = _Module(
        local_values(blocks), any(_about(each.labels[0]) for each in _resources(blocks))
    )
    for block in _resources(blocks):
        yield from _resource(block, module, view, context)
    if broken:
        yield Unread(view.path, f"line {broken} is no HCL; what follows may be missing")
    for block in blocks:
        named = dict(block.attributes) if block.kind == "module" else {}
        if block.kind == "variable" and block.labels:
            named = {block.labels[0]: block.attributes.get("default")}
        yield from _devices_of(named, context.project, Location(view.path, block.line), context)


@dataclass(frozen=True, slots=True)
class _Module:
    """What else a file says: its local values, and whether any of its resources is AI."""

    local: Mapping[str, JsonValue]
    has_ai: bool


def _resources(blocks: list[Block]) -> list[Block]:
    return [each for each in blocks if each.kind == "resource" and len(each.labels) == 2]  # noqa: PLR2004 - type and name


def _resource(
    block: Block, module: _Module, view: FileView, context: TreeContext
) -> Iterator[Observation]:
    about = _about(block.labels[0])
    devices = dict(_devices(block.attributes, 0))
    if block.labels[0] in _ROLES and (module.has_ai or _FOR_AI.search(str(block.attributes))):
        about = {"surface": "pipeline", "service": "identity"}
    elif devices and not about:
        about = {"surface": "inference", "service": "machine"}
    holder = context.project
    if about:
        holder = _asset(block, about, view, context)
        view.holders.append((block.line, holder))
        yield holder
        yield uses(context.project, holder)
        yield from _relations(block, module, holder, view)
        yield from _model(block, about, holder, view)
    value: dict[str, JsonValue] = {
        "type": block.labels[0],
        "name": block.labels[1],
        "attributes": hidden_value("", dict(block.attributes)),
        "source": "terraform",
    }
    yield Fact("infrastructure.resource", holder.id, value, view.path, block.line)
    place = Location(view.path, block.line)
    yield from observe_accelerators(devices, holder, place, "terraform", context)


def _key(path: str, address: str) -> str:
    return f"terraform/{posixpath.dirname(path)}#{address}"


def _asset(block: Block, about: Mapping[str, Any], view: FileView, context: TreeContext) -> Asset:
    attributes = {"type": block.labels[0], "service": about["service"]}
    for name in ("name", "bucket", "kind", "engine_version"):
        value = block.attributes.get(name)
        if isinstance(value, str) and "${" not in value:
            attributes[name] = str(hidden_value(name, value))[:200]
    return asset(
        context,
        AssetKind.CLOUD_RESOURCE,
        _key(view.path, block.address),
        block.address,
        Surface(about["surface"]),
        view.at(block.line),
        attributes,
    )


def _relations(block: Block, module: _Module, holder: Asset, view: FileView) -> Iterator[Relation]:
    """Yield what a resource refers to; those to something that is no asset are dropped later."""
    for name, value in block.attributes.items():
        for field, address in _fields(name, value, module, 0):
            kind = next(
                (
                    RelationKind(each)
                    for each, names in _data()["relations"].items()
                    if field in names
                ),
                RelationKind.USES,
            )
            if kind is RelationKind.RUNS_AS and not address.startswith(_ROLES):
                kind = RelationKind.USES
            if address != block.address:
                target = asset_id(AssetKind.CLOUD_RESOURCE, _key(view.path, address))
                yield Relation(holder.id, kind, target)


def _fields(name: str, value: JsonValue, module: _Module, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the innermost field and the address of each reference in a value."""
    if isinstance(value, Mapping) and depth < _DEPTH:
        for key, each in value.items():
            yield from _fields(key, each, module, depth + 1)
    elif isinstance(value, list) and depth < _DEPTH:
        for each in value:
            yield from _fields(name, each, module, depth + 1)
    elif isinstance(value, str):
        yield from ((name, address) for address in references(value, module.local))


def _model(
    block: Block, about: Mapping[str, Any], holder: Asset, view: FileView
) -> Iterator[Observation]:
    """Yield the model that a resource deploys, where it is named by a literal."""
    name = _literal(block.attributes, about.get("model", ""))
    if not name:
        return
    name = name.rpartition("foundation-model/")[2]
    line = block.lines.get(about["model"].partition(".")[0], block.line)
    provider = about["provider"]
    model = Asset(
        AssetKind.HOSTED_MODEL,
        f"{provider}/{name}",
        name,
        Surface.REGISTRY,
        view.at(line),
        attributes={"provider": provider},
    )
    revision = _literal(block.attributes, about.get("revision", ""))
    yield model
    yield Relation(holder.id, RelationKind.SERVES, model.id)
    value: dict[str, JsonValue] = {
        "provider": provider,
        "name": name,
        "revision": revision,
        "pinned": bool(revision) or provider == "aws-bedrock",
        "function": block.labels[0],
    }
    yield Fact("model.reference", model.id, value, view.path, line)


def _literal(attributes: Mapping[str, JsonValue], dotted: str) -> str:
    value: JsonValue = attributes
    for part in filter(None, dotted.split(".")):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value[:300] if isinstance(value, str) and "${" not in value else ""


def _devices_of(
    values: Mapping[str, JsonValue], holder: Asset, place: Location, context: TreeContext
) -> Iterator[Observation]:
    """Yield the accelerators of machines that variables name."""
    fields = _data()["machine_fields"]["names"]
    named: list[JsonValue] = [
        {fields[0]: value}
        for name, value in values.items()
        if any(name.lower().endswith(each) for each in fields)
    ]
    devices = dict(_devices(named, 0))
    yield from observe_accelerators(devices, holder, place, "terraform", context)


def _devices(value: JsonValue, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the vendor and number of accelerators that a resource attaches or whose machine it is.

    How many a machine has is not said by its name, so that number is empty.
    """
    if depth > _DEPTH:
        return
    if isinstance(value, list):
        for each in value:
            yield from _devices(each, depth + 1)
    elif isinstance(value, Mapping):
        fields = _data()["machine_fields"]
        for name, each in value.items():
            words = each if isinstance(each, list) else [each]
            if name in fields["names"]:
                for word in words:
                    if isinstance(word, str) and (vendor := _vendor(word)):
                        yield vendor, ""
            elif name in fields["accelerators"]:
                count = str(each.get("count", "")) if isinstance(each, Mapping) else ""
                text = str(each).lower()
                vendor = "google" if "tpu" in text or "'v" in text else "nvidia"
                yield vendor, "" if "${" in count else count
            yield from _devices(each, depth + 1)


def _vendor(machine: str) -> str:
    return next((name for name, each in _machine_patterns() if each.search(machine[:200])), "")


def _about(type_: str) -> Mapping[str, Any]:
    """Return the entry of the longest prefix of a type."""
    known: Mapping[str, Mapping[str, Any]] = _data()["resources"]
    for end in range(len(type_), 2, -1):
        entry = known.get(type_[:end])
        if entry and (end == len(type_) or not entry.get("exact")):
            return entry
    return {}


@cache
def _machine_patterns() -> tuple[tuple[str, Any], ...]:
    """Return the expressions for machines by vendor, compiled once."""
    return tuple((name, re2.compile(each)) for name, each in _data()["machines"].items())


@cache
def _data() -> Mapping[str, Any]:
    """Return what ``data/terraform.toml`` says; read once, for it never changes."""
    file = resources.files("keepwall.discover").joinpath("data", "terraform.toml")
    return tomllib.loads(file.read_text("utf-8"))


TERRAFORM = Source("terraform", _wants, _observe)
