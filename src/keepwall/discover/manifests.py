"""Manifests of dependencies: the libraries of AI that a project declares."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.lock_files import is_locked
from keepwall.discover.source import FileView, Source, TreeContext, library_asset, uses
from keepwall.formats.manifest import (
    Dependency,
    read_cargo,
    read_conda,
    read_go_mod,
    read_package_json,
    read_pipfile,
    read_pyproject,
    read_requirements,
    read_setup_cfg,
)
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_REQUIREMENTS = re.compile(r"(?:.*[-_.])?(?:requirements|constraints)(?:[-_.].*)?\.(?:txt|in)$")
_NAMES = frozenset(
    {"pyproject.toml", "pipfile", "setup.cfg", "package.json", "cargo.toml", "go.mod"}
)


def _wants(path: str, _context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    folder = posixpath.basename(posixpath.dirname(path)).lower()
    return (
        name in _NAMES
        or _REQUIREMENTS.match(name) is not None
        or (folder == "requirements" and name.endswith((".txt", ".in")))
        or (name.startswith("environment") and name.endswith((".yml", ".yaml")))
    )


def _dependencies(view: FileView) -> list[Dependency]:
    if view.name == "pyproject.toml":
        return read_pyproject(view.text)[0]
    if view.name == "pipfile":
        return read_pipfile(view.text)
    if view.name == "setup.cfg":
        return read_setup_cfg(view.text)
    if view.name == "package.json":
        return read_package_json(view.data)[0]
    if view.name == "cargo.toml":
        return read_cargo(view.text)
    if view.name == "go.mod":
        return list(read_go_mod(view.text))
    if view.name.endswith((".yml", ".yaml")):
        return list(read_conda(view.text))
    return list(read_requirements(view.text))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    known = [
        each
        for each in dict.fromkeys(_dependencies(view))
        if context.catalogue.library(each.ecosystem, each.name) is not None
    ]
    locked = bool(known) and is_locked(view.path, context)
    for each in known:
        yield from observe_dependency(each, view, context, context.project, locked=locked)


def observe_dependency(
    declared: Dependency,
    view: FileView,
    context: TreeContext,
    holder: Asset,
    *,
    locked: bool = False,
) -> Iterator[Observation]:
    """Yield a declared dependency of `holder`, where it is a library of AI.

    `locked` says that a lock file fixes the version of what the manifest declares.
    """
    library = context.catalogue.library(declared.ecosystem, declared.name)
    if library is None:
        return
    version = declared.version if declared.pinned else ""
    found = library_asset(library, view.at(declared.line), version)
    yield found
    yield uses(holder, found)
    value: dict[str, JsonValue] = {
        "ecosystem": declared.ecosystem,
        "name": declared.name,
        "version": declared.version,
        "pinned": declared.pinned,
        "hashed": declared.hashed,
        "manifest": view.path,
        "locked": locked,
    }
    yield Fact("dependency.declared", found.id, value, view.path, declared.line)


MANIFESTS = Source("manifest", _wants, _observe)
