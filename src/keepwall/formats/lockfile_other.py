"""Lock files of Rust, Go, Ruby, PHP, Java and .NET."""

from __future__ import annotations

import re
from collections.abc import Iterator

import msgspec

from keepwall.formats.line_index import LineIndex
from keepwall.formats.lockfile import Locked, blocks, checked, plain
from keepwall.vocabulary.errors import FormatError

_CRATE = re.compile(r"^\[\[package\]\][ \t]*$", re.MULTILINE)
_CRATE_FIELD = re.compile(r'^(name|version|source|checksum) = "([^"\n]{0,2000})"$', re.MULTILINE)
_GO_SUM = re.compile(
    r"^([^\s/]{1,200}(?:/[^\s]{1,400})?) (v[^\s/]{1,200}) (h1:\S{1,100})$", re.MULTILINE
)
_GEM_SECTION = re.compile(r"^([A-Z][A-Z ]{1,30})$", re.MULTILINE)
_GEM = re.compile(r"^    ([\w.-]{1,200}) \(([^)\n]{1,100})\)$", re.MULTILINE)
_GEM_SUM = re.compile(r"^  ([\w.-]{1,200}) \([^)\n]{1,100}\) sha256=", re.MULTILINE)
_GEM_REMOTE = re.compile(r"^  remote: (\S{1,2000})$", re.MULTILINE)
_GRADLE = re.compile(r"^([^\s:#=]{1,200}):([^\s:=]{1,200}):([^\s:=]{1,200})=", re.MULTILINE)


def read_cargo_lock(data: bytes) -> Iterator[Locked]:
    """Yield the crates of a ``Cargo.lock``; those of the same tree are left out.

    Raises:
        FormatError: it is no such file.
    """
    text = checked(data.decode("utf-8", "replace"), "[[package]]", "Cargo")
    for _, block, line in blocks(text, _CRATE):
        fields = {found[1]: found[2] for found in _CRATE_FIELD.finditer(block)}
        source = fields.get("source", "")
        if not source or "name" not in fields:
            continue
        yield Locked(
            "cargo",
            plain(fields["name"]),
            plain(fields.get("version", "")),
            "checksum" in fields,
            plain(source) if source.startswith("git+") else "",
            line,
        )


def read_go_sum(data: bytes) -> Iterator[Locked]:
    """Yield the modules of a ``go.sum`` whose content (not only ``go.mod``) was summed.

    Raises:
        FormatError: it is no such file.
    """
    text = checked(data.decode("utf-8", "replace"), " h1:", "Go")
    for found, _, line in blocks(text, _GO_SUM):
        yield Locked("golang", found[1], found[2], hashed=True, source="", line=line)


def read_gemfile_lock(data: bytes) -> Iterator[Locked]:
    """Yield the gems of a ``Gemfile.lock``; those of a path are left out.

    Raises:
        FormatError: it is no such file.
    """
    text = checked(data.decode("utf-8", "replace"), "DEPENDENCIES", "Bundler")
    summed = {found[1] for found in _GEM_SUM.finditer(text)}
    for section, body, first in blocks(text, _GEM_SECTION):
        if section[1] not in ("GEM", "GIT"):
            continue
        remote = _GEM_REMOTE.search(body)
        source = f"git+{remote[1]}" if section[1] == "GIT" and remote else ""
        for found, _, line in blocks(body, _GEM):
            yield Locked(
                "gem", found[1], found[2], found[1] in summed, plain(source), first + line - 1
            )


class _ComposerSource(msgspec.Struct):
    type: str = ""
    url: str = ""
    shasum: str | None = None


class _ComposerPackage(msgspec.Struct):
    name: str
    version: str = ""
    dist: _ComposerSource | None = None
    source: _ComposerSource | None = None


class _Composer(msgspec.Struct):
    packages: list[_ComposerPackage]
    packages_dev: list[_ComposerPackage] = msgspec.field(default_factory=list, name="packages-dev")


def read_composer_lock(data: bytes) -> Iterator[Locked]:
    """Yield the packages of a ``composer.lock``.

    Raises:
        FormatError: it is no such JSON.
    """
    try:
        document = msgspec.json.decode(data, type=_Composer)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not a lock file of Composer: {error}") from error
    at = LineIndex(data.decode("utf-8", "replace")).at
    for each in (*document.packages, *document.packages_dev):
        if each.dist is not None and each.dist.type == "path":
            continue
        git = each.dist is None and each.source is not None
        yield Locked(
            "composer",
            plain(each.name.lower()),
            plain(each.version),
            bool(each.dist and each.dist.shasum),
            plain(f"git+{each.source.url}") if git and each.source else "",
            at(f'"name": "{each.name}"'),
        )


def read_gradle_lock(data: bytes) -> Iterator[Locked]:
    """Yield the artifacts of a ``gradle.lockfile``, named ``group/artifact``.

    Raises:
        FormatError: it is no such file.
    """
    text = checked(data.decode("utf-8", "replace"), "empty=", "Gradle")
    for found, _, line in blocks(text, _GRADLE):
        yield Locked(
            "maven", f"{found[1]}/{found[2]}", found[3], hashed=False, source="", line=line
        )


class _NugetPackage(msgspec.Struct):
    type: str = ""
    resolved: str = ""
    contentHash: str = ""  # noqa: N815 - the name that NuGet gives it


class _Nuget(msgspec.Struct):
    version: int
    dependencies: dict[str, dict[str, _NugetPackage]]


def read_nuget_lock(data: bytes) -> Iterator[Locked]:
    """Yield the packages of a ``packages.lock.json``, once for all frameworks.

    Raises:
        FormatError: it is no such JSON.
    """
    try:
        document = msgspec.json.decode(data.removeprefix(b"\xef\xbb\xbf"), type=_Nuget)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not a lock file of NuGet: {error}") from error
    at = LineIndex(data.decode("utf-8", "replace")).at
    seen: set[tuple[str, str]] = set()
    for packages in document.dependencies.values():
        for name, each in packages.items():
            if each.type == "Project" or (name, each.resolved) in seen:
                continue
            seen.add((name, each.resolved))
            hashed = bool(each.contentHash)
            yield Locked(
                "nuget", plain(name.lower()), plain(each.resolved), hashed, "", at(f'"{name}"')
            )
