"""Lock files of JavaScript: npm (1 to 3), Yarn (classic and berry), pnpm and Bun."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import msgspec

from keepwall.formats.line_index import LineIndex
from keepwall.formats.lockfile import Locked, blocks, checked, plain
from keepwall.formats.safe_json import load_json_with_comments
from keepwall.vocabulary.errors import FormatError

_DEPTH = 60
_REGISTRY = re.compile(
    r"https?://[^/\s]{1,200}/(?:[^\s?#]{1,300}/)?-/[^\s]{1,300}\.tgz|https?://npm\.pkg\.github\.com/"
)
_YARN = re.compile(r'^"?((?:@[^@\s",]{1,200}/)?[^@\s",]{1,200})@([^\n]{1,4000}):$', re.MULTILINE)
_YARN_FIELD = re.compile(
    r'^  (version|resolved|integrity|resolution|checksum|linkType):? "?([^"\n]{0,2000})"?$',
    re.MULTILINE,
)
_PNPM = re.compile(
    r"^  ['\"]?/?((?:@[^/\s'\"]{1,200}/)?[^@/\s'\"]{1,200})[@/]([^\n]{1,2000}?)['\"]?:$",
    re.MULTILINE,
)
_PNPM_VERSION = re.compile(r"(\d[^(_'\"\s]{0,100})")
_TARBALL = re.compile(r"\b(tarball|repo): ([^,}\s]{1,2000})")
_GIT = re.compile(r"git[+:@]|ssh://|github:|gitlab:|bitbucket:|https?://[^\s]{1,300}\.git(?:#|$)")
_LOCAL = ("file:", "link:", "workspace:", "portal:")


class _Entry(msgspec.Struct):
    """A package of npm; fields that are not named here are skipped without being built."""

    version: str = ""
    resolved: str | bool | None = None
    integrity: str | None = None
    link: bool = False
    name: str = ""
    dependencies: msgspec.Raw = msgspec.Raw(b"")


class _Npm(msgspec.Struct):
    lockfileVersion: int = 1  # noqa: N815 - the name that npm gives it
    packages: dict[str, _Entry] | None = None
    dependencies: dict[str, _Entry] | None = None


def read_npm_lock(data: bytes) -> Iterator[Locked]:
    """Yield the packages of a ``package-lock.json`` or ``npm-shrinkwrap.json``.

    Raises:
        FormatError: it is no such JSON, or nests too deeply.
    """
    try:
        document = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Npm)
        at = LineIndex(data.decode("utf-8", "replace")).at
        if document.packages is not None:
            for path, entry in document.packages.items():
                # A path outside of node_modules is the project itself or its workspace.
                if not entry.link and "node_modules/" in path:
                    name = entry.name or path.rpartition("node_modules/")[2]
                    yield _npm(name, entry, at(f'"{path}"'))
            return
        yield from _nested(
            document.dependencies or {}, at=LineIndex(data.decode("utf-8", "replace"))
        )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not a lock file of npm: {error}") from error


def _nested(entries: Mapping[str, _Entry], at: LineIndex, depth: int = 0) -> Iterator[Locked]:
    """Yield what version 1 nests in one another."""
    if depth > _DEPTH:
        raise FormatError(f"nested deeper than {_DEPTH} packages")
    for name, entry in entries.items():
        if not entry.version.startswith(_LOCAL):
            yield _npm(name, entry, at.at(f'"{name}": {{'))
        if entry.dependencies:
            inner = msgspec.json.decode(entry.dependencies, type=dict[str, _Entry])
            yield from _nested(inner, at, depth + 1)


def _npm(name: str, entry: _Entry, line: int) -> Locked:
    resolved = entry.resolved if isinstance(entry.resolved, str) else ""
    source = _source(resolved or (entry.version if ":" in entry.version else ""))
    version = entry.version if ":" not in entry.version else entry.version.rpartition("#")[2]
    return Locked("npm", plain(name.lower()), plain(version), bool(entry.integrity), source, line)


def _source(address: str) -> str:
    """Return where a package comes from, or nothing for a registry."""
    if not address or address.startswith("npm:") or _REGISTRY.match(address):
        return ""
    if _GIT.match(address):
        return plain("git+" + address.removeprefix("git+"))
    return plain(address) if "://" in address else ""


def read_yarn_lock(data: bytes) -> Iterator[Locked]:
    """Yield the packages of a ``yarn.lock``, of Yarn 1 or berry.

    Raises:
        FormatError: it is no such file.
    """
    text = checked(data.decode("utf-8", "replace"), "# ", "Yarn")
    for entry, block, line in blocks(text, _YARN):
        fields = {found[1]: found[2] for found in _YARN_FIELD.finditer(block)}
        if not fields.get("version") or fields.get("linkType") == "soft":
            continue
        address = fields.get("resolved", "").rpartition("#")[0] or fields.get("resolved", "")
        name, mark, locator = fields.get("resolution", "").rpartition("@npm:")
        if not mark:
            name, mark, locator = fields.get("resolution", "")[1:].partition("@")
            name, address = (fields["resolution"][0] + name, locator) if mark else ("", address)
        alias = re.match(r"npm:((?:@[^@/\s]{1,200}/)?[^@\s\"]{1,200})@", entry[2])
        yield Locked(
            "npm",
            plain(name or (alias[1] if alias else entry[1])).lower(),
            fields["version"][:100],
            "integrity" in fields or "checksum" in fields or "#" in fields.get("resolved", ""),
            _source(address),
            line,
        )


def read_pnpm_lock(data: bytes) -> Iterator[Locked]:
    """Yield the packages of a ``pnpm-lock.yaml`` (5 to 9); each once.

    Raises:
        FormatError: it is no such file.
    """
    text = checked(data.decode("utf-8", "replace"), "lockfileVersion", "pnpm")
    start = text.find("\npackages:")
    if start < 0:
        return
    end = text.find("\nsnapshots:", start)
    before = text.count("\n", 0, start)
    for entry, block, line in blocks(text[start : end if end > 0 else len(text)], _PNPM):
        version = _PNPM_VERSION.match(entry[2])
        found = _TARBALL.search(block)
        address = (found[2] if found else "") or ("" if version else entry[2])
        if address.startswith(_LOCAL):
            continue
        source = f"git+{address}" if found and found[1] == "repo" else _source(address)
        yield Locked(
            "npm",
            entry[1].lower(),
            version[1] if version else "",
            "integrity: " in block,
            plain(source),
            before + line,
        )


def read_bun_lock(data: bytes) -> Iterator[Locked]:
    """Yield the packages of a ``bun.lock`` (the text form).

    Raises:
        FormatError: it is no such file.
    """
    document = load_json_with_comments(data)
    packages = document.get("packages") if isinstance(document, dict) else None
    if not isinstance(packages, dict):
        raise FormatError("not a lock file of Bun: it holds no 'packages'")
    at = LineIndex(data.decode("utf-8", "replace")).at
    for key, value in packages.items():
        words = [each for each in value if isinstance(each, str)] if isinstance(value, list) else []
        if not words:
            continue
        name, _, locator = words[0][1:].partition("@")
        if locator.startswith(_LOCAL):
            continue
        source = _source(locator)
        yield Locked(
            "npm",
            plain(words[0][0] + name).lower(),
            "" if source else plain(locator),
            any(word.startswith("sha512-") for word in words[1:]),
            source,
            at(f'"{key}": ['),
        )
