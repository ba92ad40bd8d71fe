"""Models and data sets that code names."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.discover.catalogue import Catalogue
from keepwall.discover.hosted_models import hosted_model
from keepwall.discover.model_names import ModelName
from keepwall.discover.source import FileView, TreeContext, asset, without_secrets
from keepwall.formats.source.model import Call, Module
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_COMMIT = re.compile(r"[0-9a-f]{40}$")
_DATED = re.compile(r"(?:20\d\d-?[01]\d-?[0-3]\d|@20\d{6}|:[0-9a-f]{64}|@sha256:)")
_PLAIN = re.compile(r"[\w.:/@+-]{2,120}$")
_LOCAL = ("/", "./", "../", "~", "file:", "C:")
_HUB = re.compile(r"(?i)hugging|sentence_?transformer|\bvllm$|\.(?:from_pretrained|hf_\w{1,40})$")
_BUCKET = re.compile(
    r"(?!(?:my|your|some|example|bucket|path|foo|test)(?:[-_/]|\Z))[\w@.-]{3,100}(?:/[\w./=*@-]*)?\Z"
)
_AUTO = "auto"
_BUILDERS = frozenset(
    {"csv", "json", "parquet", "text", "arrow", "imagefolder", "audiofolder", "videofolder"}
    | {"webdataset", "pandas", "xml", "sql", "generator"}
)
"""What ``load_dataset`` takes for files that lie beside it."""


@dataclass(frozen=True, slots=True)
class CalledModel:
    """A model that a call names; `pinned` is None where the call says so in a way not followed."""

    model: ModelName
    revision: str
    pinned: bool | None


def called_model(call: Call, catalogue: Catalogue) -> CalledModel | None:
    """Return the model that `call` names, by a literal or by what its argument falls back on."""
    providers = catalogue.providers
    provider = _by_class(call.function, catalogue) or _provider(call.function, catalogue)
    name = _model_name(call, catalogue) if provider else ""
    if not provider or not _PLAIN.match(name) or not re.search("[A-Za-z]", name):
        return None
    if _repo_type(call) != "model":
        return None
    if name.startswith(_LOCAL) or re.search(r"\.(?:gguf|bin|pth?|onnx|py|json)$", name):
        provider = "local"
    elif provider == _AUTO:
        provider, name = _by_name(name, call.function, catalogue)
    elif provider == "huggingface" and "/" not in name:
        provider, name = _bare(name, call.function, catalogue)
    if re.fullmatch(providers["no_models"]["names"], name, re.IGNORECASE):
        return None
    revision = call.arguments.get("revision") or call.arguments.get("code_revision") or ""
    revision = revision if isinstance(revision, str) else ""
    pinned: bool | None = bool(_COMMIT.match(revision) or _DATED.search(name))
    if not pinned and {"revision", "code_revision"} & call.references.keys():
        pinned = None
    return CalledModel(ModelName(provider, name), revision, pinned)


def _repo_type(call: Call) -> str:
    """Return what a repository of the Hub that `call` names holds: model, dataset or space."""
    given = call.arguments.get("repo_type") or call.defaults.get("repo_type")
    return given if isinstance(given, str) else "model"


def _by_class(function: str, catalogue: Catalogue) -> str:
    """Return who serves the models of a class of a framework, such as ``…llms.openai.OpenAI``."""
    index = catalogue.services
    if not function.startswith(index.frameworks):
        return ""
    service = index.classes.get(function.rpartition(".")[2])
    if service is None or service.name == "huggingface":
        return ""
    hosts = service.role is AssetKind.PROVIDER or service.name == "ollama"
    return service.name if hosts else ""


def model_reference(
    call: Call, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the model that `call` names, if it names one."""
    found = called_model(call, context.catalogue)
    if found is None:
        return
    model = found.model
    value: dict[str, JsonValue] = {
        "provider": model.provider,
        "name": without_secrets(model.name),
        "revision": found.revision,
        "pinned": found.pinned,
        "function": call.function,
    }
    yield Fact("model.reference", holder.id, value, view.path, call.line)
    if model.provider not in ("local", ""):
        role = context.catalogue.models.role(model.name, call.function)
        place = Location(view.path, call.line)
        yield from hosted_model(model, role, holder, place, context, revision=found.revision)


def _model_name(call: Call, catalogue: Catalogue) -> str:
    """Return the text that names the model, or an empty text."""
    excluded = catalogue.providers["no_models"]
    if call.function.endswith(tuple(excluded["functions"])):
        return ""
    for keyword in catalogue.providers["repositories"]["keywords"]:
        value = call.arguments.get(keyword) or call.defaults.get(keyword)
        ends = tuple(excluded["keywords"].get(keyword, ("",)))
        if isinstance(value, str) and value and call.function.endswith(ends):
            return value
    if call.function.endswith(tuple(catalogue.providers["repositories"]["positional"])):
        value = call.arguments.get("0") or call.defaults.get("0")
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
            return catalogue.providers["prefixes"][prefix], rest.lstrip("/")
    if "/" not in name and (known := catalogue.models.by_name(name)):
        return known.provider, known.name
    lowered = name.lower()
    for provider, starts in catalogue.providers["names"].items():
        if lowered.startswith(tuple(starts)) and "/" not in name:
            return provider, name
    hub = name.count("/") == 1 and _HUB.search(function)
    return ("huggingface", name) if hub else ("", name)


def _bare(name: str, function: str, catalogue: Catalogue) -> tuple[str, str]:
    """Return provider and name of a model of the Hub that is named without its organisation."""
    if re.search(r"\.SentenceTransformer$|HuggingFaceEmbeddings?$", function):
        return "huggingface", f"sentence-transformers/{name}"
    if re.search(r"\.(?:\w*OpenAI\w*|\w*LiteLLM\w*)$", function):
        return _by_name(name, function, catalogue)
    return "huggingface", name


@dataclass(frozen=True, slots=True)
class _Dataset:
    provider: str
    name: str
    revision: str


def _dataset(call: Call, catalogue: Catalogue) -> _Dataset | None:
    """Return the data set that `call` names, by a literal or by what its argument falls back on."""
    rule = catalogue.providers["datasets"].get(call.function)
    if rule is None and _repo_type(call) == "dataset":
        rule = ["huggingface", "repo_id", "0"]
    if rule is None:
        return None
    provider, *places = rule
    names = (call.arguments.get(place) or call.defaults.get(place) for place in places)
    name = next((each for each in names if isinstance(each, str) and each), "")
    if not name or (provider == "url" and ("://" not in name or name.startswith("sqlite"))):
        return None
    revision = call.arguments.get("revision")
    local = provider == "file" or name.startswith(_LOCAL) or name in _BUILDERS
    return _Dataset(
        "local" if local else provider,
        without_secrets(name),
        revision if isinstance(revision, str) else "",
    )


def dataset_asset(call: Call, view: FileView, context: TreeContext) -> Asset | None:
    """Return the asset of the data set that `call` names, if it names one that others host."""
    found = _dataset(call, context.catalogue)
    if found is None or found.provider == "local":
        return None
    key = found.name if "://" in found.name else f"{found.provider}/{found.name}"
    name = found.name.partition("?")[0]
    place = view.at(call.line)
    attributes = {"provider": found.provider}
    return asset(context, AssetKind.DATASET, key, name, Surface.DATA, place, attributes)


def dataset_reference(
    call: Call, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the data set that `call` names, if it names one."""
    dataset = _dataset(call, context.catalogue)
    if dataset is None:
        return
    value: dict[str, JsonValue] = {
        "provider": dataset.provider,
        "name": dataset.name,
        "revision": dataset.revision,
        "pinned": bool(_COMMIT.match(dataset.revision)),
        "function": call.function,
    }
    yield Fact("dataset.reference", holder.id, value, view.path, call.line)
    found = dataset_asset(call, view, context)
    if found is not None:
        yield found
        yield Relation(holder.id, RelationKind.READS, found.id)


def bucket_references(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield the object stores that texts of a module address: `holder` reads them."""
    seen: set[str] = set()
    for text in module.texts:
        scheme, mark, rest = text.value.partition("://")
        known = mark and scheme in context.catalogue.providers["stores"]["schemes"]
        if not known or not _BUCKET.match(rest) or text.value in seen:
            continue
        seen.add(text.value)
        attributes = {"provider": scheme}
        place = view.at(text.line)
        found = asset(
            context, AssetKind.DATASET, text.value, text.value, Surface.DATA, place, attributes
        )
        yield found
        yield Relation(holder.id, RelationKind.READS, found.id)


def _provider(function: str, catalogue: Catalogue) -> str:
    """Return who serves the models of calls with the longest known prefix of `function`."""
    table = catalogue.model_prefixes
    known = (*table.get(function.partition(".")[0], ()), *table.get("", ()))
    return next((provider for prefix, provider in known if function.startswith(prefix)), "")
