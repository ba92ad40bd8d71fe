"""The seam of the asset sources: each looks at one file and yields what it saw."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from keepwall.content.secrets import SecretMatch, find_secrets
from keepwall.discover.catalogue import Catalogue, Library
from keepwall.discover.limits import Limits
from keepwall.discover.neighbours import Neighbours
from keepwall.rulebook.interest import Asked
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_SECRET_NAME = re.compile(
    r"(?i)(?:^|[_.-])(?:api[_-]?key|apikey|secret|token|passw(?:or)?d|passwd|credentials?|access[_-]?key"
    r"|private[_-]?key|auth)(?:$|[_.-])|(?:password|secret|token|api_?key)$"
)
_URL_CREDENTIALS = re.compile(r"(://[^/\s:@]{0,100}:)[^/\s@]{1,200}(@)")
_ASSIGNED = re.compile(r"(?i)((?:token|password|passwd|secret|api[_-]?key)[\w.-]{0,20}=)([^\s&;]+)")
_OPTION = re.compile(
    r"(?i)(--?[\w-]{0,40}(?:token|password|passwd|secret|api[_-]?key)[\"']?[\s,]{1,10}[\"']?)"
    r"([^\s\"',$-][^\s\"',]{0,200})"
)
_SETTINGS = frozenset(
    {"true", "false", "on", "off", "yes", "no", "none", "trust", "disabled", "enabled", "null"}
    | {"basic", "md5", "scram-sha-256", "0", "1"}
)
HIDDEN = "***"
_SHORTEST = 12
"""Shorter texts hold no credential that could be told without its surroundings."""


@dataclass(frozen=True, slots=True)
class TreeContext:
    """What the sources know about the tree: its project, who owns what, limits and data.

    `asked` tells whether anyone asks about a call; a fact that nobody reads need not be told.
    """

    project: Asset
    catalogue: Catalogue
    limits: Limits
    owners: Callable[[str], str]
    asked: Asked = lambda _call: True
    near: Neighbours = field(default_factory=Neighbours)
    """The other files of the tree."""

    def asked_by(self, asked: Asked) -> TreeContext:
        """Return the same context for those who ask only about some calls."""
        return replace(self, asked=asked)


@dataclass(slots=True)
class FileView:
    """A file with its content, read once; `path` is relative to the tree, in POSIX form."""

    path: str
    data: bytes
    holders: list[tuple[int, Asset]] = field(default_factory=list)
    """Assets that hold what stands from a line on; a credential belongs to the nearest above it."""
    _text: str | None = None
    _secrets: list[SecretMatch] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        """The base name, in lower case."""
        return posixpath.basename(self.path).lower()

    @property
    def text(self) -> str:
        """The content as text; bytes that are not UTF-8 are replaced."""
        if self._text is None:
            self._text = self.data.decode("utf-8-sig", "replace")
        return self._text

    @property
    def secrets(self) -> list[SecretMatch]:
        """The credentials in the content."""
        if self._secrets is None:
            self._secrets = find_secrets(self.text)
        return self._secrets

    def holder(self, line: int, otherwise: Asset) -> Asset:
        """Return the asset that what stands on `line` belongs to."""
        above = [(start, each.id, each) for start, each in self.holders if start <= line]
        return max(above)[2] if above else otherwise

    def at(self, line: int = 0) -> tuple[Location, ...]:
        """Return the place on `line` of this file."""
        return (Location(self.path, line),)


@dataclass(frozen=True, slots=True)
class Source:
    """A kind of file: `wants` decides by the path alone, `observe` yields what is in it.

    `observe` may raise `FormatError`; the file is then named as unread.
    """

    name: str
    wants: Callable[[str, TreeContext], bool]
    observe: Callable[[FileView, TreeContext], Iterator[Observation]]


def asset(
    context: TreeContext,
    kind: AssetKind,
    key: str,
    name: str,
    surface: Surface,
    place: tuple[Location, ...],
    attributes: Mapping[str, str] | None = None,
) -> Asset:
    """Return an asset with the owner that the tree names for its place."""
    owner = context.owners(place[0].path) if place else ""
    return Asset(kind, key, name, surface, place, owner, attributes=attributes or {})


def library_asset(library: Library, place: tuple[Location, ...], version: str = "") -> Asset:
    """Return the asset of a library."""
    return Asset(
        AssetKind.LIBRARY,
        library.purl,
        library.name,
        library.surface,
        place,
        attributes={"version": version} if version else {},
    )


def uses(source: Asset, target: Asset) -> Relation:
    """Return the relation that `source` uses `target`."""
    return Relation(source.id, RelationKind.USES, target.id)


def is_secret_name(name: str) -> bool:
    """Return whether a variable, setting or argument of this name holds a credential."""
    return _SECRET_NAME.search(name) is not None


def without_secrets(text: str) -> str:
    """Return `text` without credentials: known ones, of URLs, ``token=…`` and ``--token …``."""
    for match in reversed(find_secrets(text)):
        text = f"{text[: match.start]}{HIDDEN}{text[match.end :]}"
    text = _URL_CREDENTIALS.sub(rf"\1{HIDDEN}\2", text)
    text = _OPTION.sub(rf"\1{HIDDEN}", text)
    return _ASSIGNED.sub(_hidden_assignment, text)


def _hidden_assignment(match: re.Match[str]) -> str:
    value = match[2].strip("\"'")
    reference = (
        not value or value.startswith(("$", "{")) or value.lower() in ("true", "false", "none")
    )
    return match[0] if reference else f"{match[1]}{HIDDEN}"


def words_without_secrets(words: tuple[str, ...] | list[str]) -> list[str]:
    """Return the words of a command line with the values of credentials hidden."""
    shown: list[str] = []
    hide = False
    for word in words[:200]:
        option = word.startswith("-") and "=" not in word
        if hide and not option and word and not word.startswith("$") and not _is_setting(word):
            shown.append(HIDDEN)
        else:
            shown.append(without_secrets(word[:4_000]))
        hide = option and is_secret_name(word.lstrip("-"))
    return shown


def _is_setting(value: str) -> bool:
    """Return whether a value switches authentication on or off, and so is no credential."""
    return value.strip().lower() in _SETTINGS


def environment_without_secrets(variables: Mapping[str, str | None]) -> dict[str, JsonValue]:
    """Return names with values; None where one is a credential or comes from elsewhere."""
    return {
        name: None
        if value is None
        or (value and is_secret_name(name) and not _is_setting(value))
        or find_secrets(f'{name}="{value}"')
        else without_secrets(value[:2_000])
        for name, value in list(variables.items())[:500]
    }


def hidden_value(name: str, value: JsonValue, hidden: tuple[str, ...] = ()) -> JsonValue:
    """Return a literal as it may be shown.

    Texts of secret names are hidden unless they are empty, and so is what `hidden` lists.
    """
    if isinstance(value, str):
        if value and is_secret_name(name):
            return HIDDEN
        if any(each in value for each in hidden):
            return HIDDEN
        return without_secrets(value) if len(value) >= _SHORTEST else value
    if isinstance(value, list):
        return [hidden_value(name, each, hidden) for each in value]
    if isinstance(value, dict):
        return {key: hidden_value(key, each, hidden) for key, each in value.items()}
    return value
