"""Credentials in text: facts and assets that never hold the value."""

from __future__ import annotations

import hashlib
import posixpath
import re
from collections.abc import Collection, Iterable, Iterator, Mapping

from keepwall.content.secrets import SecretMatch
from keepwall.discover.path_context import path_context
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.vocabulary.asset import Asset, AssetKind, Location
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_CODE = (
    ".py",
    ".js",
    ".ts",
    ".tsx",
    ".jsx",
    ".mjs",
    ".go",
    ".rs",
    ".java",
    ".rb",
    ".php",
    ".cs",
    ".sh",
    ".md",
)
_UNGUESSABLE = 20
_AT_COMMIT = re.compile(r"[0-9a-f]{12}:")


def observe_secrets(
    matches: Iterable[SecretMatch],
    where: str,
    view: FileView,
    holder: Asset,
    *,
    first: int = 1,
    by_line: bool = True,
) -> Iterator[Observation]:
    """Yield a fact and an asset for each match.

    `first` is the line of the file on which the searched text starts; without `by_line` all of the
    text stands on it.
    """
    for match in matches:
        at = first + match.line - 1 if by_line else first
        yield from observe_secret(match, where, view.path, holder, at)


def observe_secret(
    match: SecretMatch, where: str, path: str, holder: Asset, line: int, *, shown: str = ""
) -> Iterator[Observation]:
    """Yield the asset and the fact of one credential; `shown` stands for it instead of its mask.

    The attribute `context` of the asset (test, docs, example) tells where it is less likely to be
    live: it ranks a finding lower and never hides it, for live ones are found in all of them.
    """
    masked = shown or match.masked
    context = path_context(_AT_COMMIT.sub("", path, count=1))
    yield Asset(
        AssetKind.SECRET,
        f"{match.detector}/{_identity(match, path)}",
        f"{match.detector} {masked}",
        holder.surface,
        (Location(path, line),),
        holder.owner,
        attributes={"detector": match.detector, "confidence": match.confidence.value}
        | ({"context": context} if context else {}),
    )
    value: dict[str, JsonValue] = {
        "detector": match.detector,
        "where": where,
        "masked": masked,
    }
    yield Fact("secret.present", holder.id, value, path, line)


def _identity(match: SecretMatch, path: str) -> str:
    """Return what tells one credential from another without giving it away.

    The digest of a long random value can be shown; that of a password could be searched for, so a
    password is known by its place.
    """
    if match.end - match.start >= _UNGUESSABLE:
        return match.digest
    return hashlib.sha256(f"{path}\0{match.masked}".encode("utf-8", "replace")).hexdigest()[:16]


def is_searched(path: str, files: Mapping[str, Collection[str]]) -> bool:
    """Return whether a file of this name may hold credentials as text; notebooks have their own."""
    name = posixpath.basename(path).lower()
    if name in files["not_for_secrets"] or name.endswith((".min.js", ".min.css")):
        return False
    suffix = posixpath.splitext(name)[1]
    return suffix in files["text_suffixes"] or name.startswith(tuple(files["text_names"]))


def _wants(path: str, context: TreeContext) -> bool:
    return not path.lower().endswith(".ipynb") and is_searched(path, context.catalogue.files)


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    if len(view.data) > context.limits.secret_bytes:
        yield Unread(view.path, f"{len(view.data)} bytes, too many to look for credentials")
        return
    if b"\0" in view.data[:8_000]:
        return
    if view.name.startswith(("dockerfile", "containerfile")) or view.name.endswith(".dockerfile"):
        where = "image"
    elif view.name.startswith(".env"):
        where = "environment"
    else:
        where = "source" if view.name.endswith(_CODE) else "configuration"
    for match in view.secrets:
        holder = view.holder(match.line, context.project)
        yield from observe_secrets([match], where, view, holder)


SECRETS = Source("secrets", _wants, _observe)
