"""Model files, recognised by content; identified by the digest of what they hold."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.datasets import may_be_dataset, observe_dataset
from keepwall.discover.hosted_models import hosted_model
from keepwall.discover.model_names import ModelName
from keepwall.discover.reading import OpenFile
from keepwall.discover.source import TreeContext, asset
from keepwall.formats.modelfile.detect import ModelFile, detect_model
from keepwall.formats.safe_json import load_json
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_SETTINGS = 1 << 20
_REPOSITORY = re.compile(r"[A-Za-z\d][\w.-]{0,95}/[\w.-]{1,95}\Z")


def may_be_model(path: str, context: TreeContext) -> bool:
    """Return whether the content of a file is to be asked if it is a model or a data set."""
    if may_be_dataset(path):
        return True
    suffix = posixpath.splitext(path.lower())[1]
    files = context.catalogue.files
    return suffix not in files["not_models"] and suffix not in files["text_suffixes"]


def observe_model(
    path: str, file: OpenFile, context: TreeContext
) -> tuple[bool, list[Observation]]:
    """Return whether the file is a model or data, and what was seen of it."""
    try:
        if may_be_dataset(path):
            return True, list(observe_dataset(path, file, context))
        found = detect_model(file, posixpath.basename(path), context.catalogue.harmless)
    except FormatError as error:
        return True, [Unread(path, error.message)]
    return (True, list(_observations(path, file, found, context))) if found else (False, [])


def _observations(
    path: str, file: OpenFile, found: ModelFile, context: TreeContext
) -> Iterator[Observation]:
    try:
        key, whole = file.digest(context.limits.digest_bytes)
    except FormatError as error:
        yield Unread(path, error.message)
        return
    attributes = {**found.details, "format": found.format, "size": str(file.size)}
    if not whole:
        attributes["digest"] = "of the size and both ends only"
    model = asset(
        context,
        AssetKind.MODEL_FILE,
        key,
        posixpath.basename(path),
        Surface.REGISTRY,
        (Location(path),),
        attributes,
    )
    yield model
    yield Relation(context.project.id, RelationKind.USES, model.id)
    value: dict[str, JsonValue] = {
        "format": found.format,
        "size": file.size,
        "executes": found.executes,
        "imports": list(found.imports),
        "reason": found.reason,
    }
    yield Fact("model.file", model.id, value, path)
    yield from _base(path, model, context)
    if found.unread:
        yield Unread(path, found.unread)


def _base(path: str, model: Asset, context: TreeContext) -> Iterator[Observation]:
    """Yield the model that an adapter (PEFT, LoRA) was trained on, by the settings beside it."""
    folder, name = posixpath.split(path)
    if not name.startswith("adapter_"):
        return
    data = context.near.read(posixpath.join(folder, "adapter_config.json"), _SETTINGS)
    try:
        document = load_json(data) if data else None
    except FormatError:
        return  # named where that file itself is read
    base = document.get("base_model_name_or_path") if isinstance(document, dict) else None
    if isinstance(base, str) and _REPOSITORY.match(base):
        found = ModelName("huggingface", base)
        built = RelationKind.BUILT_FROM
        yield from hosted_model(found, "", model, Location(path), context, kind=built)
