"""Credentials in text: facts and assets that never hold the value."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator

from keepwall.content.secrets import SecretMatch
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.vocabulary.asset import Asset, AssetKind
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
        yield Asset(
            AssetKind.SECRET,
            f"{match.detector}/{match.digest}",
            f"{match.detector} {match.masked}",
            holder.surface,
            view.at(at),
            holder.owner,
            attributes={"detector": match.detector},
        )
        value: dict[str, JsonValue] = {
            "detector": match.detector,
            "where": where,
            "masked": match.masked,
        }
        yield Fact("secret.present", holder.id, value, view.path, at)


def _wants(path: str, context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    files = context.catalogue.files
    if name in files["not_for_secrets"] or name.endswith((".min.js", ".min.css", ".ipynb")):
        return False
    suffix = posixpath.splitext(name)[1]
    return suffix in files["text_suffixes"] or name.startswith(tuple(files["text_names"]))


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
