"""Packages of AI that are installed on a host: Python, Conda and npm, by names and metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keepwall.discover.host_view import HostView, below, contents, entries, globbed
from keepwall.discover.reading import UnreadableError
from keepwall.discover.source import library_asset, uses
from keepwall.formats.manifest import normalise_name
from keepwall.formats.plain_text import visible
from keepwall.formats.safe_json import load_json
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_SYSTEM = (
    "usr/lib/python3*/dist-packages",
    "usr/lib/python3*/site-packages",
    "usr/lib64/python3*/site-packages",
    "usr/local/lib/python3*/dist-packages",
    "usr/local/lib/python3*/site-packages",
    "opt/*/lib/python3*/site-packages",
    "opt/*/*/lib/python3*/site-packages",
    "opt/pipx/venvs/*/lib/python3*/site-packages",
    "srv/*/*/lib/python3*/site-packages",
)
_HOME = (
    ".local/lib/python3*/site-packages",
    ".local/share/pipx/venvs/*/lib/python3*/site-packages",
    ".local/pipx/venvs/*/lib/python3*/site-packages",
    ".local/share/uv/tools/*/lib/python3*/site-packages",
    ".pyenv/versions/*/lib/python3*/site-packages",
    ".conda/envs/*/lib/python3*/site-packages",
    "*conda*/lib/python3*/site-packages",
    "*conda*/envs/*/lib/python3*/site-packages",
    "miniforge3/lib/python3*/site-packages",
    "miniforge3/envs/*/lib/python3*/site-packages",
    "*/lib/python3*/site-packages",
    ".*venv*/lib/python3*/site-packages",
    "*/*venv*/lib/python3*/site-packages",
    "*/.*venv*/lib/python3*/site-packages",
)
_NODE_SYSTEM = ("usr/lib/node_modules", "usr/local/lib/node_modules", "opt/*/lib/node_modules")
_NODE_HOME = (
    ".npm-global/lib/node_modules",
    ".local/lib/node_modules",
    ".nvm/versions/node/*/lib/node_modules",
    ".volta/tools/image/packages/*/lib/node_modules",
    ".bun/install/global/node_modules",
)
_METADATA = re.compile(
    r"([A-Za-z0-9][\w.]{0,100}?)-(\d[\w.!+]{0,60})(?:-py[\d.]+)?\.(?:dist|egg)-info$"
)
_CONDA = re.compile(r"([\w.-]{1,100})-(\d[\w.!+]{0,60})-[^-]{1,80}\.json$")
_MOST_PLACES = 500
_MOST_ENTRIES = 50_000
_MANIFEST_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class _Package:
    ecosystem: str
    name: str
    version: str
    path: Path


def observe_packages(view: HostView) -> Iterator[Observation]:
    """Yield the AI packages of the system, of users' environments and of running programs."""
    seen: set[tuple[int, int]] = set()
    crowded: set[Path] = set()
    for kind, place in _places(view, crowded):
        if len(seen) >= _MOST_PLACES or view.late:
            yield Unread(view.shown(place), "packages: there was no time left for all environments")
            return
        try:
            status = place.stat()
        except OSError:
            continue  # of a process that ended, or a link to nothing
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            yield from _installed(kind, place, view)
    for folder in sorted(crowded):
        yield Unread(view.shown(folder), "packages: too many entries to look at all of them")


def _places(view: HostView, crowded: set[Path]) -> Iterator[tuple[str, Path]]:
    """Yield the directories of packages: ``python``, ``conda`` or ``node``."""
    for pattern in _SYSTEM:
        yield from (("python", each) for each in globbed(view.root, pattern, crowded))
    for prefix in _prefixes(view):
        yield from (
            ("python", each) for each in globbed(prefix, "lib/python3*/site-packages", crowded)
        )
        yield from (("conda", each) for each in globbed(prefix, "conda-meta", crowded))
    for pattern in _NODE_SYSTEM:
        yield from (("node", each) for each in globbed(view.root, pattern, crowded))
    for home in view.users.homes:
        for pattern in _HOME:
            for each in globbed(home, pattern, crowded):
                yield "python", each
                yield from (
                    ("conda", meta) for meta in globbed(each.parents[2], "conda-meta", crowded)
                )
        for pattern in _NODE_HOME:
            yield from (("node", each) for each in globbed(home, pattern, crowded))


def _prefixes(view: HostView) -> Iterator[Path]:
    """Yield the environments that processes run in."""
    found: dict[Path, None] = {}
    for process in view.processes.all:
        for program in (process.argv[0], process.program):
            if program.startswith("/") and "/bin/" in program and "\0" not in program:
                prefix = below(view.root, program.rpartition("/bin/")[0])
                if prefix not in (view.root, view.root / "usr", view.root / "usr/local"):
                    found[prefix] = None
    yield from found


def _installed(kind: str, place: Path, view: HostView) -> Iterator[Observation]:
    found, why = entries(place, _MOST_ENTRIES)
    if why:
        yield Unread(view.shown(place), why)
    names = [each.name for each in found]
    if kind == "node":
        scopes = [name for name in names if name.startswith("@")]
        names += [
            f"{s}/{each.name}" for s in scopes for each in entries(place / s, _MOST_ENTRIES)[0]
        ]
    for name in names:
        package = _package(kind, name, place, view)
        if package is not None:
            yield from _observe(package, view)


def _package(kind: str, name: str, place: Path, view: HostView) -> _Package | None:
    """Return the AI package that an entry stands for, or None."""
    catalogue = view.context.catalogue
    if kind == "node":
        if catalogue.library("npm", name) is None:
            return None
        return _Package("npm", name, _npm_version(place / name / "package.json"), place / name)
    match = (_METADATA if kind == "python" else _CONDA).match(name)
    if match is None:
        return None
    ecosystem = "pypi" if kind == "python" else "conda"
    library = catalogue.library(ecosystem, normalise_name(match[1]))
    if library is None or (kind == "conda" and _also_pip(match[1], place)):
        return None
    return _Package(ecosystem, library.name, match[2], place / name)


def _also_pip(name: str, place: Path) -> bool:
    """Return whether pip's metadata of the same environment tell of a package as well."""
    pattern = f"lib/python3*/site-packages/{name.replace('-', '_')}-*.dist-info"
    return next(globbed(place.parent, pattern, set()), None) is not None


def _npm_version(path: Path) -> str:
    try:
        document = load_json(contents(path, _MANIFEST_BYTES) or b"{}")
    except (UnreadableError, FormatError):
        return ""
    version = document.get("version") if isinstance(document, dict) else None
    return visible(version[:60]) if isinstance(version, str) else ""


def _observe(package: _Package, view: HostView) -> Iterator[Observation]:
    library = view.context.catalogue.library(package.ecosystem, package.name)
    if library is None:
        return
    path = view.shown(package.path)
    found = library_asset(library, (Location(path),), package.version)
    yield found
    yield uses(view.host, found)
    value: dict[str, JsonValue] = {
        "ecosystem": package.ecosystem,
        "name": library.name,
        "version": package.version,
    }
    yield Fact("package.installed", found.id, value, path)
