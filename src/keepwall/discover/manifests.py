"""Manifests of dependencies: the libraries of AI that a project declares."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.source import FileView, Source, TreeContext, library_asset, uses
from keepwall.formats.manifest import (
    Dependency,
    read_conda,
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
_NAMES = frozenset({"pyproject.toml", "pipfile", "setup.cfg", "package.json"})


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
    if view.name.endswith((".yml", ".yaml")):
        return list(read_conda(view.text))
    return list(read_requirements(view.text))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    for each in dict.fromkeys(_dependencies(view)):
        yield from observe_dependency(each, view, context, context.project)


def observe_dependency(
    declared: Dependency, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield a declared dependency of `holder`, where it is a library of AI."""
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
    }
    yield Fact("dependency.declared", found.id, value, view.path, declared.line)


MANIFESTS = Source("manifest", _wants, _observe)
