"""Models and data sets that code names."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keepwall.discover.catalogue import Catalogue
from keepwall.discover.source import FileView, TreeContext, asset, without_secrets
from keepwall.formats.source.model import Call
from keepwall.vocabulary.asset import Asset, AssetKind, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_COMMIT = re.compile(r"[0-9a-f]{40}$")
_DATED = re.compile(r"(?:20\d\d-?[01]\d-?[0-3]\d|@20\d{6}|:[0-9a-f]{64}|@sha256:)")
_PLAIN = re.compile(r"[\w.:/@+-]{2,120}$")
_LOCAL = ("/", "./", "../", "~", "file:", "C:")
_HUB = re.compile(r"(?i)hugging|sentence_?transformer|\bvllm$|\.(?:from_pretrained|hf_\w{1,40})$")
_AUTO = "auto"


def model_reference(
    call: Call, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the model that `call` names, if it names one literally."""
    providers = context.catalogue.providers
    provider = _longest(call.function, providers["models"])
    name = _model_name(call, context.catalogue) if provider else ""
    if not provider or not _PLAIN.match(name) or not re.search("[A-Za-z]", name):
        return
    if name.startswith(_LOCAL) or re.search(r"\.(?:gguf|bin|pth?|onnx|py|json)$", name):
        provider = "local"
    elif provider == _AUTO:
        provider, name = _by_name(name, call.function, context.catalogue)
    elif provider == "huggingface" and "/" not in name:
        provider = _by_name(name, call.function, context.catalogue)[0] or provider
    if re.fullmatch(providers["no_models"]["names"], name, re.IGNORECASE):
        return
    revision = call.arguments.get("revision") or call.arguments.get("code_revision") or ""
    revision = revision if isinstance(revision, str) else ""
    pinned = bool(_COMMIT.match(revision) or _DATED.search(name))
    value: dict[str, JsonValue] = {
        "provider": provider,
        "name": without_secrets(name),
        "revision": revision,
        "pinned": pinned,
        "function": call.function,
    }
    yield Fact("model.reference", holder.id, value, view.path, call.line)
    if provider not in ("local", ""):
        surface = Surface.REGISTRY if provider == "huggingface" else Surface.INFERENCE
        key = f"{provider}/{name}"
        attributes = {"provider": provider, **({"revision": revision} if revision else {})}
        found = asset(
            context, AssetKind.HOSTED_MODEL, key, name, surface, view.at(call.line), attributes
        )
        yield found
        yield Relation(holder.id, RelationKind.USES, found.id)


def _model_name(call: Call, catalogue: Catalogue) -> str:
    """Return the literal that names the model, or an empty text."""
    excluded = catalogue.providers["no_models"]
    if call.function.endswith(tuple(excluded["functions"])):
        return ""
    for keyword in catalogue.providers["repositories"]["keywords"]:
        value = call.arguments.get(keyword)
        ends = tuple(excluded["keywords"].get(keyword, ("",)))
        if isinstance(value, str) and value and call.function.endswith(ends):
            return value
    rules = catalogue.providers["repositories"]
    if any(call.function.endswith(each) for each in rules["positional"]):
        value = call.arguments.get("0")
        return value if isinstance(value, str) else ""
    return ""


def _by_name(name: str, function: str, catalogue: Catalogue) -> tuple[str, str]:
    """Return provider and name of a model whose call does not say who serves it.

    A name such as ``org/name`` is of the Hugging Face Hub only where the function says so: to
    clients of APIs it is a route.
    """
    for mark in ("/", ":"):
        prefix, found, rest = name.partition(mark)
        if found and prefix in catalogue.providers["prefixes"]:
            return catalogue.providers["prefixes"][prefix], rest
    lowered = name.lower()
    for provider, starts in catalogue.providers["names"].items():
        if lowered.startswith(tuple(starts)) and "/" not in name:
            return provider, name
    hub = name.count("/") == 1 and _HUB.search(function)
    return ("huggingface", name) if hub else ("", name)


def dataset_reference(
    call: Call, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the data set that `call` names, if it names one literally."""
    rule = context.catalogue.providers["datasets"].get(call.function)
    if rule is None:
        return
    provider, *places = rule
    names = (call.arguments.get(place) for place in places)
    name = next((each for each in names if isinstance(each, str) and each), "")
    if not name or (provider == "url" and "://" not in name):
        return
    revision = call.arguments.get("revision")
    revision = revision if isinstance(revision, str) else ""
    local = provider == "file" or name.startswith(_LOCAL)
    name = without_secrets(name)
    value: dict[str, JsonValue] = {
        "provider": "local" if local else provider,
        "name": name,
        "revision": revision,
        "pinned": bool(_COMMIT.match(revision)),
        "function": call.function,
    }
    yield Fact("dataset.reference", holder.id, value, view.path, call.line)
    if not local:
        key = name if "://" in name else f"{provider}/{name}"
        found = asset(
            context,
            AssetKind.DATASET,
            key,
            name,
            Surface.DATA,
            view.at(call.line),
            {"provider": provider},
        )
        yield found
        yield Relation(holder.id, RelationKind.READS, found.id)


def _longest(function: str, table: dict[str, str]) -> str:
    """Return the value of the longest prefix of `function` in `table`."""
    matches = [prefix for prefix in table if function.startswith(prefix)]
    return table[max(matches, key=len)] if matches else ""
