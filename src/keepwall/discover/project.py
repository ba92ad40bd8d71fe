"""The project itself: who owns which part of it, and under which licence it stands."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from keepwall.formats.manifest import ProjectDetails, read_package_json, read_pyproject
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue

CODEOWNERS = ("CODEOWNERS", ".github/CODEOWNERS", "docs/CODEOWNERS", ".gitlab/CODEOWNERS")
_MAXIMUM_RULES = 5_000
_MAINTAINERS = frozenset({"maintainers", "maintainers.md", "owners", "authors", "authors.md"})
_LICENCE_FILES = re.compile(r"(?:licen[cs]e|copying)(?:[.-].*)?$")
_KNOWN = (
    ("Apache-2.0", "apache license"),
    ("MIT", "permission is hereby granted, free of charge"),
    ("AGPL-3.0", "gnu affero general public license"),
    ("LGPL-3.0", "gnu lesser general public license"),
    ("GPL-3.0", "gnu general public license"),
    ("MPL-2.0", "mozilla public license"),
    ("BSD-3-Clause", "redistribution and use in source and binary forms"),
)


def read_codeowners(text: str) -> Callable[[str], str]:
    """Return a function from a path to its owners; as on GitHub, the last rule that fits counts."""
    rules: list[tuple[re.Pattern[str], str]] = []
    for line in text.splitlines()[:_MAXIMUM_RULES]:
        words = line.split("#", 1)[0].split()
        if words and not words[0].startswith(("[", "^[")) and len(words[0]) < 200:  # noqa: PLR2004 - a path, not an attack
            rules.append((_pattern(words[0]), " ".join(words[1:])))
    rules.reverse()

    def owner(path: str) -> str:
        return next((names for pattern, names in rules if pattern.match(path)), "")

    return owner


def _pattern(glob: str) -> re.Pattern[str]:
    """Return the expression of a CODEOWNERS glob (as in gitignore, without ``!`` and ``[]``)."""
    anchored = "/" in glob.rstrip("/")
    body = glob.strip("/")
    parts = re.split(r"(\*\*/|/\*\*|\*+|\?)", body)
    known = {"**/": "(?:[^/]+/)*+", "/**": "/.*", "?": "[^/]"}
    text = "".join(
        known.get(
            part, "[^/]*" if part == "*" else ".*" if part.startswith("*") else re.escape(part)
        )
        for part in parts
    )
    if body == "*":
        return re.compile(".*", re.DOTALL)
    end = "/" if glob.endswith("/") else r"(?:/|\Z)"
    if body.endswith("/*"):
        end = r"\Z"
    return re.compile(("" if anchored else "(?:.*/)?") + text + end, re.DOTALL)


@dataclass(slots=True)
class ProjectNotes:
    """What is collected about a project while its tree is walked."""

    owners: dict[str, None] = field(default_factory=dict)
    licence: str = ""
    place: str = ""

    def note(self, path: str, data: bytes) -> None:
        """Look at a file at the top of the tree."""
        name = posixpath.basename(path).lower()
        if path in CODEOWNERS or name in _MAINTAINERS:
            text = data.decode("utf-8", "replace")
            people = re.findall(r"@[\w/-]{1,80}|[\w.+-]{1,60}@[\w.-]{1,60}", text)[:50]
            self.owners |= dict.fromkeys(people or [name])
            self.place = self.place or path
        elif path in ("pyproject.toml", "package.json"):
            try:
                details = self._details(path, data)
            except FormatError:
                return  # the manifest source names it as unread
            self.owners |= dict.fromkeys(details.owners)
            self.licence = details.licence[:100] or self.licence
            self.place = self.place or path
        elif _LICENCE_FILES.match(name) and not self.licence:
            text = data[:20_000].decode("utf-8", "replace").lower()
            self.licence = next((known for known, words in _KNOWN if words in text), "other")

    @staticmethod
    def wants(path: str) -> bool:
        """Return whether `note` has any use for the file."""
        name = posixpath.basename(path).lower()
        top = "/" not in path
        return path in CODEOWNERS or (
            top
            and (
                name in _MAINTAINERS
                or name in ("pyproject.toml", "package.json")
                or _LICENCE_FILES.match(name) is not None
            )
        )

    @staticmethod
    def _details(path: str, data: bytes) -> ProjectDetails:
        if path == "package.json":
            return read_package_json(data)[1]
        return read_pyproject(data.decode("utf-8", "replace"))[1]

    def fact(self, project: Asset) -> Fact:
        """Return the fact about the project."""
        value: Mapping[str, JsonValue] = {"owners": list(self.owners), "licence": self.licence}
        return Fact("project.metadata", project.id, value, self.place)
