"""Caches of models on a host: which models lie there, how large, and who may write them."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from keepwall.discover.host_data import host_data
from keepwall.discover.host_users import read_small
from keepwall.discover.host_view import HostView, barrier, below, entries
from keepwall.discover.hosted_models import model_asset
from keepwall.discover.model_files import observe_model
from keepwall.discover.model_names import ModelName
from keepwall.discover.reading import UnreadableError, opened
from keepwall.vocabulary.asset import Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_MOST_ENTRIES = 20_000
_MOST_INSPECTED = 100
_DIGEST_BYTES = 64 << 20
_DEPTH = 6
_MOST_MODELS = 2_000


@dataclass(frozen=True, slots=True)
class Cache:
    """A directory in which models are kept."""

    path: Path
    provider: str
    layout: str


@dataclass(slots=True)
class _Content:
    """What lies in a cache: models with the revision, files that may execute, and their weight."""

    models: dict[ModelName, tuple[str, Path]] = field(default_factory=dict)
    files: list[Path] = field(default_factory=list)
    bytes: int = 0
    entries: int = 0
    writable: bool = False
    missing: dict[str, str] = field(default_factory=dict)


def observe_caches(view: HostView, pids: Collection[int]) -> Iterator[Observation]:
    """Yield the caches of models of every user, and where the processes `pids` keep theirs."""
    seen: set[tuple[int, int]] = set()
    for cache in _caches(view, pids):
        try:
            status = cache.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            continue
        except (OSError, ValueError) as error:
            if isinstance(error, PermissionError):
                yield Unread(
                    view.shown(barrier(cache.path, view.root)),
                    "permission denied: models there are unknown",
                )
            continue  # a link to itself, or a name that is none
        if not stat.S_ISDIR(status.st_mode) or (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        if view.late:
            yield Unread(view.shown(cache.path), "there was no time left")
            continue
        yield from _cache(cache, status, view)


def _caches(view: HostView, pids: Collection[int]) -> Iterator[Cache]:
    known = host_data("host_caches")
    for entry in known["cache"]:
        for home in view.users.homes:
            for place in entry["home"]:
                yield Cache(home / place, entry["provider"], entry["layout"])
        for place in entry["system"]:
            yield Cache(view.root / place, entry["provider"], entry["layout"])
    names = {each["name"]: each for each in known["variables"]}
    for pid in sorted(pids):
        text = read_small(view.proc / str(pid) / "environ", 256 << 10)
        for line in text.split("\0") if any(name in text for name in names) else ():
            name, _, value = line.partition("=")
            if name in names and value.startswith("/"):
                entry = names[name]
                path = below(view.root, f"{value}/{entry['below']}")
                yield Cache(path, entry["provider"], entry["layout"])


def _cache(cache: Cache, status: os.stat_result, view: HostView) -> Iterator[Observation]:
    content = _Content()
    _walk(cache.path, cache, content, 0, view)
    if cache.layout == "ollama":
        _manifests(cache.path / "manifests", content, view)
    path = view.shown(cache.path)
    user = view.users.name(status.st_uid)
    models = len(content.models) or len(content.files)
    value: dict[str, JsonValue] = {
        "provider": cache.provider,
        "path": path,
        "models": models,
        "bytes": content.bytes,
        "user": user,
        "writable": content.writable and _reached(cache.path, view.root),
    }
    yield Fact("cache.model", view.host.id, value, path)
    for model, (revision, place) in list(content.models.items())[:_MOST_MODELS]:
        role = view.context.catalogue.models.role(model.name)
        found = model_asset(model, role, Location(view.shown(place)), view.context, revision)
        yield found
        yield Relation(view.host.id, RelationKind.USES, found.id)
    yield from _inspected(content, view)
    for reason, place_shown in content.missing.items():
        yield Unread(place_shown, reason)


def _inspected(content: _Content, view: HostView) -> Iterator[Observation]:
    """Yield the files by content: which format they have, and whether loading them runs code."""
    context = replace(view.context, limits=replace(view.context.limits, digest_bytes=_DIGEST_BYTES))
    for number, path in enumerate(content.files):
        shown = view.shown(path)
        if number >= _MOST_INSPECTED or view.late:
            left = len(content.files) - number
            yield Unread(view.shown(path.parent), f"{left} model files: not looked into")
            return
        try:
            with opened(str(path.resolve())) as file:
                yield from observe_model(shown, file, context)[1]
        except (UnreadableError, OSError, RuntimeError) as error:
            yield Unread(shown, str(error) if isinstance(error, UnreadableError) else "unreadable")


def _walk(folder: Path, cache: Cache, content: _Content, depth: int, view: HostView) -> None:
    """Add what lies below a folder of a cache; no link to a folder is followed."""
    found, why = entries(folder, _MOST_ENTRIES)
    if why:
        content.missing.setdefault(why, view.shown(folder))
    content.writable |= _open_to_others(folder)
    for entry in found:
        content.entries += 1
        if content.entries > _MOST_ENTRIES or view.late:
            content.missing.setdefault("too much to look at all of it", view.shown(folder))
            return
        try:
            if entry.is_dir(follow_symlinks=False):
                if depth < _DEPTH:
                    _repository(entry, cache, content)
                    _walk(Path(entry.path), cache, content, depth + 1, view)
                continue
            _file(entry, cache, content)
        except OSError:
            continue  # it vanished


def _repository(entry: os.DirEntry[str], cache: Cache, content: _Content) -> None:
    """Add the model of the Hugging Face hub that a folder is named after."""
    kind, *names = entry.name.split("--")
    if cache.layout == "hub" and kind == "models" and 1 <= len(names) <= 2:  # noqa: PLR2004 - organisation and name
        place = Path(entry.path)
        main = read_small(place / "refs/main", 100).strip()
        revision = main if main.isalnum() else ""
        content.models[ModelName("huggingface", "/".join(names)[:200])] = (revision, place)


def _file(entry: os.DirEntry[str], cache: Cache, content: _Content) -> None:
    known: Mapping[str, Any] = host_data("host_caches")
    status = entry.stat(follow_symlinks=False)
    regular = stat.S_ISREG(status.st_mode)
    if regular:
        content.bytes += status.st_size
        content.writable |= bool(status.st_mode & stat.S_IWOTH)
    suffix = os.path.splitext(entry.name.lower())[1]  # noqa: PTH122 - a name, not a path
    wanted = known["executable"] if cache.layout == "hub" else known["weights"]
    link = entry.is_symlink() and cache.layout == "hub"
    if cache.layout != "ollama" and suffix in wanted and (regular or link):
        content.files.append(Path(entry.path))


def _manifests(folder: Path, content: _Content, view: HostView) -> None:
    """Add the models of Ollama: manifests/REGISTRY/LIBRARY/NAME/TAG."""
    for registry in entries(folder, 100)[0]:
        for library in entries(Path(registry.path), 1_000)[0]:
            for name in entries(Path(library.path), _MOST_MODELS)[0]:
                for tag in entries(Path(name.path), 1_000)[0]:
                    if view.late or len(content.models) >= _MOST_MODELS:
                        return
                    prefix = "" if library.name == "library" else f"{library.name}/"
                    version = "" if tag.name == "latest" else f":{tag.name}"
                    model = ModelName("ollama", f"{prefix}{name.name}{version}"[:200])
                    content.models[model] = ("", Path(tag.path))


def _open_to_others(folder: Path) -> bool:
    try:
        mode = folder.stat().st_mode
    except OSError:
        return False
    return bool(mode & stat.S_IWOTH) and not mode & stat.S_ISVTX


def _reached(path: Path, root: Path) -> bool:
    """Return whether other users get as far as `path`: every folder above lets them through."""
    place = Path(os.path.realpath(path))
    for folder in place.parents:
        try:
            if not folder.stat().st_mode & stat.S_IXOTH:
                return False
        except OSError:
            return False
        if folder == root:
            break
    return True
