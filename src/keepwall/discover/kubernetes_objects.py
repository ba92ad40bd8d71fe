"""Objects of Kubernetes, from manifests and charts: what runs, what it serves, what it needs."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any

from keepwall.discover.accelerators import observe_accelerators, requested
from keepwall.discover.containers import observe_container, surface_of
from keepwall.discover.source import FileView, TreeContext, asset, uses, without_secrets
from keepwall.formats.container import mapping, text_of
from keepwall.formats.kubernetes import Workload
from keepwall.formats.safe_yaml import YamlMap, YamlValue
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_DEPTH = 12
_SCHEMES: Mapping[str, str] = {
    "hf": "huggingface",
    "huggingface": "huggingface",
    "ollama": "ollama",
    "gs": "gcs",
    "oci": "oci",
}
_COMMIT = re.compile(r"[0-9a-f]{40}\Z")


def observe_objects(
    found: Iterable[Workload],
    view: FileView,
    context: TreeContext,
    attributes: Mapping[str, str] | None = None,
) -> Iterator[Observation]:
    """Yield what runs in `found`, and the kinds that are AI; `attributes` go to each asset."""
    for each in found:
        about = _kinds().get(each.type, {})
        if each.containers or about:
            yield from _object(each, about, view, context, attributes or {})


def _object(
    found: Workload,
    about: Mapping[str, Any],
    view: FileView,
    context: TreeContext,
    attributes: Mapping[str, str],
) -> Iterator[Observation]:
    holder = _asset(found, about, view, context, attributes)
    yield holder
    yield Relation(context.project.id, RelationKind.USES, holder.id)
    if software := about.get("software"):
        service = Asset(
            AssetKind(about["role"]), software, software, holder.surface, view.at(found.line)
        )
        yield service
        yield uses(holder, service)
        value: dict[str, JsonValue] = {"name": software, "role": about["role"], "via": "program"}
        yield Fact("service.used", holder.id, value, view.path, found.line)
    for container in found.containers:
        yield from observe_container(container, holder, view.path, "kubernetes", context)
    if not any(each.gpu for each in found.containers):
        devices = requested(dict(_limits(found.content, 0)))
        for path in about.get("devices", ()):
            devices |= dict(_profile(text) for text, _ in _at(found.content, path))
        devices.pop("", None)
        place = Location(view.path, found.line)
        yield from observe_accelerators(devices, holder, place, "kubernetes", context)
    models = {
        text: line for path in about.get("models", ()) for text, line in _at(found.content, path)
    }
    for text, line in models.items():
        yield from _model(
            text, about.get("provider", "kubernetes"), holder, Location(view.path, line)
        )


def _asset(
    found: Workload,
    about: Mapping[str, Any],
    view: FileView,
    context: TreeContext,
    attributes: Mapping[str, str],
) -> Asset:
    kind = AssetKind(about.get("kind", AssetKind.KUBERNETES_OBJECT))
    words = [word for each in found.containers for word in each.command]
    images = " ".join(each.image for each in found.containers)
    surface = Surface(about["surface"]) if about else Surface.INFERENCE
    if not about:
        surface = Surface.NOTEBOOK if found.kind == "Notebook" else surface
        surface = surface_of(words, f"{images} {found.name}", context.catalogue, surface)
    in_cluster = kind is AssetKind.KUBERNETES_OBJECT
    return asset(
        context,
        kind,
        f"-/{found.namespace}/{found.kind}/{found.name}"
        if in_cluster
        else f"{view.path}#{found.name}",
        f"{found.kind}/{found.name}",
        surface,
        view.at(found.line),
        {"kind": found.kind, "namespace": found.namespace, **attributes},
    )


def _model(text: str, otherwise: str, holder: Asset, place: Location) -> Iterator[Observation]:
    """Yield a model that an object names by an address or a plain name."""
    scheme, mark, rest = without_secrets(text).partition("://")
    name = rest if mark else scheme
    provider = _SCHEMES.get(scheme, scheme) if mark else otherwise
    name, _, revision = name.partition("?")[0].partition("@")
    if not name or len(name) > 400:  # noqa: PLR2004 - a name, not a text
        return
    model = Asset(
        AssetKind.HOSTED_MODEL,
        f"{provider}/{name}",
        name,
        Surface.REGISTRY,
        (place,),
        attributes={"provider": provider},
    )
    yield model
    yield Relation(holder.id, RelationKind.SERVES, model.id)
    value: dict[str, JsonValue] = {
        "provider": provider,
        "name": name,
        "revision": revision,
        "pinned": _COMMIT.match(revision) is not None,
        "function": "kubernetes",
    }
    yield Fact("model.reference", model.id, value, place.path, place.line)


def _at(content: YamlMap, path: str) -> Iterator[tuple[str, int]]:
    """Yield the texts at a dotted path, in which ``*`` is any key or item, with their lines."""
    found: list[tuple[YamlValue, int]] = [(content, content.line)]
    for part in path.split("."):
        inner: list[tuple[YamlValue, int]] = []
        for value, line in found[:100]:
            if part == "*" and isinstance(value, list):
                inner += [(each, line) for each in value]
            elif isinstance(value, dict):
                at = value.line_of if isinstance(value, YamlMap) else lambda _key, here=line: here
                keys = value if part == "*" else [part] if part in value else []
                inner += [(value[key], at(key)) for key in keys]
        found = inner
    yield from ((text_of(value), line) for value, line in found if text_of(value))


def _profile(text: str) -> tuple[str, str]:
    """Return vendor and count of a profile such as ``nvidia-gpu-l4:2``, or of a bare number."""
    name, _, count = text.rpartition(":")
    name = name.lower()
    if count in ("", "0") or not count.isdecimal() or "cpu" in name:
        return "", ""
    vendors = ("amd", "google", "intel")
    return next((each for each in vendors if name.startswith(each)), "nvidia"), count


def _limits(value: YamlValue, depth: int) -> Iterator[tuple[str, str]]:
    """Yield the limits of resources wherever an object states them."""
    if depth > _DEPTH:
        return
    if isinstance(value, dict):
        for key, each in mapping(mapping(value.get("resources")).get("limits")).items():
            yield key, text_of(each)
        for each in value.values():
            yield from _limits(each, depth + 1)
    elif isinstance(value, list):
        for each in value[:100]:
            yield from _limits(each, depth + 1)


@cache
def _kinds() -> Mapping[str, Mapping[str, Any]]:
    """Return what ``data/kubernetes.toml`` says; read once, for it never changes."""
    file = resources.files("keepwall.discover").joinpath("data", "kubernetes.toml")
    return tomllib.loads(file.read_text("utf-8"))
