"""Manifests of dependencies: those of Python, conda, npm, Cargo and Go."""

from __future__ import annotations

import configparser
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from keepwall.formats.line_index import LineIndex
from keepwall.formats.safe_json import load_json
from keepwall.formats.safe_yaml import YamlLimits, load_yaml
from keepwall.vocabulary.errors import FormatError

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]{0,100})\s*(?:\[[^\]]{0,200}\])?\s*(.*)")
_EXACT = re.compile(r"\(?\s*===?\s*([A-Za-z0-9][^\s,;)*]{0,60})\s*\)?\s*(?:[;#].*)?$")
_NPM_EXACT = re.compile(r"[v=]*\d{1,9}\.\d{1,9}\.\d{1,9}[-+.\w]{0,60}$")
_CONDA = re.compile(r"([A-Za-z0-9][\w.-]{0,100})\s*(?:(==?)\s*([\w.!+-]{1,60}))?")
_GO_REQUIRE = re.compile(
    r"(?:require\s+)?([^\s/()]{1,100}\.[^\s/()]{1,100}/\S{1,300})\s+(v\S{1,100})"
)
_TOML_DEPTH = 40
_TOML_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Dependency:
    """A declared dependency; `version` is the exact one where pinned, else the constraint."""

    ecosystem: str
    name: str
    version: str
    pinned: bool
    hashed: bool
    line: int


@dataclass(frozen=True, slots=True)
class ProjectDetails:
    """What a manifest says about the project itself."""

    name: str = ""
    licence: str = ""
    owners: tuple[str, ...] = ()


def normalise_name(name: str) -> str:
    """Return a Python distribution name in its normal form (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirement(text: str, line: int, *, hashed: bool = False) -> Dependency | None:
    """Return the dependency in one requirement (PEP 508), or None where there is none."""
    match = _REQUIREMENT.match(text)
    if match is None:
        return None
    constraint = match[2].split(" --hash", 1)[0].split(" #", 1)[0].strip()
    exact = _EXACT.match(constraint)
    if constraint.startswith("@"):
        pinned = bool(re.search(r"(@[0-9a-f]{40}\b|#sha256=)", constraint))
        return Dependency("pypi", normalise_name(match[1]), "", pinned, hashed, line)
    version = exact[1] if exact else constraint.split(";", 1)[0].strip(" ()")
    return Dependency(
        "pypi", normalise_name(match[1]), version[:100], exact is not None, hashed, line
    )


def read_requirements(text: str) -> Iterator[Dependency]:
    """Yield the dependencies of a requirements file (pip); options and comments are left out."""
    pending, start = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        start = start if pending else number
        pending = f"{pending} {raw}" if pending else raw
        if raw.endswith("\\") and len(pending) < 20_000:  # noqa: PLR2004 - a line is bounded
            pending = pending[:-1]
            continue
        line, pending = pending.strip(), ""
        if not line or line[0] in "#-" or "://" in line.split(" ", 1)[0]:
            continue
        found = requirement(line, start, hashed="--hash=" in line)
        if found is not None:
            yield found


def load_toml(text: str) -> Mapping[str, object]:
    """Return a TOML document.

    Raises:
        FormatError: it is not TOML, larger than 1 MiB, or nests too deeply.
    """
    if len(text) > _TOML_BYTES:
        raise FormatError(f"{len(text)} characters of TOML, more than {_TOML_BYTES}")
    deepest = max((line.count("[") + line.count("{") for line in text.splitlines()), default=0)
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise FormatError(f"not TOML: {error}") from error
    except RecursionError as error:
        raise FormatError(f"nested deeper than {min(deepest, _TOML_DEPTH)} levels") from error


def read_pyproject(text: str) -> tuple[list[Dependency], ProjectDetails]:
    """Return dependencies (PEP 621, PEP 735, Poetry, uv) and details of a ``pyproject.toml``.

    Raises:
        FormatError: as `load_toml`.
    """
    document = load_toml(text)
    at = LineIndex(text).at
    project = _map(document.get("project"))
    groups = [
        _list(project.get("dependencies")),
        _list(_map(document.get("build-system")).get("requires")),
    ]
    groups += map(_list, _map(project.get("optional-dependencies")).values())
    groups += map(_list, _map(document.get("dependency-groups")).values())
    tools = _map(document.get("tool"))
    groups.append(_list(_map(tools.get("uv")).get("dev-dependencies")))
    found = [
        each
        for group in groups
        for text_line in group
        if isinstance(text_line, str)
        for each in [requirement(text_line, at(text_line))]
        if each is not None
    ]
    poetry = _map(tools.get("poetry"))
    tables = [poetry.get("dependencies"), poetry.get("dev-dependencies")]
    tables += [_map(group).get("dependencies") for group in _map(poetry.get("group")).values()]
    for table in tables:
        found += _table_dependencies(_map(table), at)
    details = project or poetry
    licence = details.get("license")
    licence = _map(licence).get("text") or _map(licence).get("file") or licence
    people = (*_list(details.get("maintainers")), *_list(details.get("authors")))
    owners = tuple(filter(None, map(_person, people)))
    return found, ProjectDetails(
        str(details.get("name") or ""), licence if isinstance(licence, str) else "", owners
    )


def read_pipfile(text: str) -> list[Dependency]:
    """Return the dependencies of a ``Pipfile``.

    Raises:
        FormatError: as `load_toml`.
    """
    document, at = load_toml(text), LineIndex(text).at
    tables = (document.get("packages"), document.get("dev-packages"))
    return [each for table in tables for each in _table_dependencies(_map(table), at)]


def read_conda(text: str) -> Iterator[Dependency]:
    """Yield the dependencies of a conda ``environment.yml``; pip's own list is of PyPI.

    Raises:
        FormatError: it is not YAML.
    """
    at = LineIndex(text).at
    for document in load_yaml(text.encode(), YamlLimits(nodes=50_000)):
        for entry in _list(_map(document).get("dependencies")):
            if isinstance(entry, str):
                match = _CONDA.match(entry.rpartition("::")[2])
                if match:
                    version = match[3] or ""
                    name = normalise_name(match[1])
                    yield Dependency("conda", name, version, bool(version), False, at(entry))  # noqa: FBT003 - conda lists carry no hash
            for line in _list(_map(entry).get("pip")):
                if isinstance(line, str) and (found := requirement(line, at(line))) is not None:
                    yield found


def read_setup_cfg(text: str) -> list[Dependency]:
    """Return the dependencies of a ``setup.cfg``.

    Raises:
        FormatError: it is not an ini file.
    """
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise FormatError(f"not an ini file: {str(error).splitlines()[0]}") from error
    at = LineIndex(text).at
    blocks = [parser.get("options", "install_requires", fallback="")]
    if parser.has_section("options.extras_require"):
        blocks += [value for _, value in parser.items("options.extras_require")]
    lines = (line.strip() for block in blocks for line in block.splitlines())
    found = (requirement(line, at(line)) for line in lines if line)
    return [each for each in found if each is not None]


def read_package_json(data: bytes) -> tuple[list[Dependency], ProjectDetails]:
    """Return dependencies and details of a ``package.json`` (npm).

    Raises:
        FormatError: it is not JSON.
    """
    document = _map(load_json(data))
    at = LineIndex(data.decode("utf-8", "replace")).at
    found = []
    for key in ("dependencies", "devDependencies", "optionalDependencies", "peerDependencies"):
        for name, value in _map(document.get(key)).items():
            version = value if isinstance(value, str) else ""
            exact = _NPM_EXACT.match(version) is not None
            found.append(Dependency("npm", name.lower(), version, exact, False, at(f'"{name}"')))  # noqa: FBT003 - npm keeps hashes in the lock
    licence = document.get("license")
    owners = [_person(document.get("author")), *map(_person, _list(document.get("maintainers")))]
    return found, ProjectDetails(
        str(document.get("name") or ""),
        licence if isinstance(licence, str) else "",
        tuple(filter(None, owners)),
    )


def read_cargo(text: str) -> list[Dependency]:
    """Return the dependencies of a ``Cargo.toml``, also those of its workspace.

    Raises:
        FormatError: as `load_toml`.
    """
    document, at = load_toml(text), LineIndex(text).at
    places = [document, _map(document.get("workspace")), *_map(document.get("target")).values()]
    found = []
    for place in places:
        for key in ("dependencies", "dev-dependencies", "build-dependencies"):
            for name, value in _map(_map(place).get(key)).items():
                entry = _map(value)
                if entry.get("workspace") is True or ("path" in entry and "version" not in entry):
                    continue
                version = value if isinstance(value, str) else entry.get("version", "")
                version = version.strip() if isinstance(version, str) else ""
                crate = entry.get("package")
                crate = crate if isinstance(crate, str) else name
                exact = version.startswith("=") or "rev" in entry
                line = at(name)
                found.append(Dependency("cargo", crate, version.lstrip("= "), exact, False, line))  # noqa: FBT003 - Cargo keeps hashes in the lock
    return found


def read_go_mod(text: str) -> Iterator[Dependency]:
    """Yield the direct dependencies of a ``go.mod``; Go takes exactly the versions written there.

    Lines marked ``// indirect`` are left out, for others need those.
    """
    block = ""
    for number, raw in enumerate(text.splitlines(), 1):
        line, _, comment = raw.partition("//")
        line = line.strip()
        if line == ")":
            block = ""
        elif line.endswith("("):
            block = line[:-1].strip()
        elif (block or line.partition(" ")[0]) == "require" and "indirect" not in comment:
            found = _GO_REQUIRE.match(line)
            if found:
                yield Dependency("golang", found[1], found[2], True, False, number)  # noqa: FBT003 - Go keeps hashes in go.sum


def _table_dependencies(
    table: Mapping[str, object], at: Callable[[str], int]
) -> Iterator[Dependency]:
    """Yield dependencies of a ``name = constraint`` table; ``*`` and ranges are not pinned."""
    for name, value in table.items():
        if name == "python":
            continue
        entry = _map(value)
        version = value if isinstance(value, str) else entry.get("version", "")
        version = version if isinstance(version, str) else ""
        exact = re.match(r"={0,3}\s*(\d[\w.!+-]{0,60})$", version)
        commit = entry.get("rev") or entry.get("ref")
        pinned = bool(exact) or (
            isinstance(commit, str) and re.fullmatch(r"[0-9a-f]{40}", commit) is not None
        )
        yield Dependency(
            "pypi",
            normalise_name(name),
            exact[1] if exact else version[:100],
            pinned,
            bool(entry.get("hashes")),
            at(name),
        )


def _person(value: object) -> str:
    """Return the name or address of an author entry."""
    if isinstance(value, str):
        return value[:200]
    entry = _map(value)
    name = entry.get("name") or entry.get("email") or ""
    return name[:200] if isinstance(name, str) else ""


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
