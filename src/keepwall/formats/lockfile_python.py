"""Lock files of Python: Poetry, uv, PDM, pylock (PEP 751), Pipfile, Pixi and conda-lock."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

import msgspec

from keepwall.formats.line_index import LineIndex
from keepwall.formats.lockfile import Locked, blocks, checked, plain
from keepwall.formats.manifest import normalise_name
from keepwall.formats.safe_json import load_json
from keepwall.vocabulary.errors import FormatError

_PACKAGE = re.compile(r"^\[\[packages?\]\][ \t]*$", re.MULTILINE)
_NAME = re.compile(r'^name = "([^"\n]{1,200})"', re.MULTILINE)
_VERSION = re.compile(r'^version = "([^"\n]{0,200})"', re.MULTILINE)
_UV_SOURCE = re.compile(
    r'^source = \{ (registry|git|url|path|directory|editable|virtual) = "([^"\n]{0,2000})"',
    re.MULTILINE,
)
_TABLE_TYPE = re.compile(
    r'^\[package\.source\]\s*type = "(\w+)"\s*url = "([^"\n]{0,2000})"',
    re.MULTILINE,
)
_DIRECT = re.compile(r'^(git|url|path) = "([^"\n]{0,2000})"', re.MULTILINE)
_PYLOCK = re.compile(
    r"(?:^|\.)(vcs|archive|directory)(?:\]\s*|\s*=\s*\{)([^\n}]{0,4000}(?:\n(?!\[)[^\n]{0,4000}){0,4})",
    re.MULTILINE,
)
_URL = re.compile(r'\burl\s*=\s*["\']([^"\'\n]{0,2000})')
_HASH = re.compile(r"sha(?:256|384|512)\b|\bchecksum = ")
_OLD_HASHES = re.compile(r'^"?([\w.-]{1,200})"? = \[\s*\{file', re.MULTILINE)
_LOCAL = frozenset({"path", "directory", "editable", "virtual", "file"})

_CONDA_ITEM = re.compile(r"^- (conda|pypi|kind|name): *([^\n]{1,2000})$", re.MULTILINE)
_FIELD = re.compile(
    r"^ +(name|version|manager|url|sha256|md5|hash): *['\"]?([^'\"\n]{0,2000})['\"]?$", re.MULTILINE
)
_CONDA_FILE = re.compile(r"/([^/]{1,200})-([^/-]{1,100})-[^/-]{1,100}\.(?:conda|tar\.bz2)$")


def read_toml_lock(data: bytes) -> Iterator[Locked]:
    """Yield the packages of a ``poetry.lock``, ``uv.lock``, ``pdm.lock`` or ``pylock.toml``.

    What stands in the same tree (the project itself, its workspace) is left out.

    Raises:
        FormatError: it is none of these.
    """
    text = data.decode("utf-8", "replace")
    checked(text, "version", "Poetry, uv, PDM or pip")
    late = text.find("[metadata.files]")
    old = {found[1] for found in _OLD_HASHES.finditer(text, late)} if late >= 0 else frozenset()
    for _, block, line in blocks(text, _PACKAGE):
        name = _NAME.search(block)
        if name is None:
            continue
        version = _VERSION.search(block)
        kind, address = _origin(block)
        if kind in _LOCAL:
            continue
        yield Locked(
            "pypi",
            normalise_name(name[1]),
            version[1] if version else "",
            name[1] in old or _HASH.search(block) is not None,
            f"git+{address.removeprefix('git+')}" if kind in ("git", "vcs") else address,
            line,
        )


def _origin(block: str) -> tuple[str, str]:
    """Return the kind and address of where a package comes from; nothing for a registry."""
    if found := _UV_SOURCE.search(block):
        return ("", "") if found[1] == "registry" else (found[1], plain(found[2]))
    if found := _TABLE_TYPE.search(block):
        return ("", "") if found[1] == "legacy" else (found[1], plain(found[2]))
    if found := _DIRECT.search(block):
        return found[1], plain(found[2])
    if found := _PYLOCK.search(block):
        address = _URL.search(found[2])
        return found[1], plain(address[1]) if address else ""
    return "", ""


class _PipfileEntry(msgspec.Struct):
    version: str = ""
    hashes: list[str] = []
    git: str = ""
    ref: str = ""
    path: str = ""
    file: str = ""
    editable: bool = False


def read_pipfile_lock(data: bytes) -> Iterator[Locked]:
    """Yield the packages of a ``Pipfile.lock``.

    Raises:
        FormatError: it is no such JSON.
    """
    document = load_json(data)
    at = LineIndex(data.decode("utf-8", "replace")).at
    if not isinstance(document, dict) or "_meta" not in document:
        raise FormatError("not a lock file of pipenv: it holds no '_meta'")
    for group, entries in document.items():
        if group == "_meta" or not isinstance(entries, dict):
            continue
        for name, value in entries.items():
            try:
                entry = msgspec.convert(value, _PipfileEntry)
            except msgspec.ValidationError as error:
                raise FormatError(f"{plain(name)}: {error}") from error
            if entry.path:
                continue
            source = f"git+{entry.git}" if entry.git else entry.file
            yield Locked(
                "pypi",
                normalise_name(plain(name)),
                plain(entry.version.removeprefix("==") or entry.ref),
                bool(entry.hashes),
                plain(source),
                at(f'"{name}"'),
            )


def read_conda_lock(data: bytes) -> Iterator[Locked]:
    """Yield the packages of a ``pixi.lock`` or ``conda-lock.yml``; each once, not per platform.

    Raises:
        FormatError: it is neither.
    """
    text = checked(data.decode("utf-8", "replace"), "package", "Pixi or conda-lock")
    seen: set[tuple[str, str, str]] = set()
    # The packages come after what names them per environment; both lists have the same items.
    start = max(text.find("\npackages:"), text.find("\npackage:"), 0)
    before = text.count("\n", 0, start)
    for item, block, line in blocks(text[start:], _CONDA_ITEM):
        fields = {found[1]: found[2] for found in _FIELD.finditer(block)}
        locked = _conda_item(item[1], item[2].strip().strip("'\""), fields, before + line)
        if locked is not None and (locked.ecosystem, locked.name, locked.version) not in seen:
            seen.add((locked.ecosystem, locked.name, locked.version))
            yield locked


def _conda_item(key: str, value: str, fields: dict[str, str], line: int) -> Locked | None:
    pip = key == "pypi" or value == "pypi" or fields.get("manager") == "pip"
    name, version = fields.get("name", ""), fields.get("version", "")
    if key == "name":
        name = value
    url = value if "://" in value else fields.get("url", "")
    if not name and (found := _CONDA_FILE.search(url)):
        name, version = unquote(found[1]), found[2]
    if not name or (key == "pypi" and "://" not in value):
        return None
    return Locked(
        "pypi" if pip else "conda",
        normalise_name(name),
        version,
        "sha256" in fields or "md5" in fields,
        plain(url) if url.startswith("git+") else "",
        line,
    )
