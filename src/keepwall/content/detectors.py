"""Detectors of secrets: loaded from data, compiled once."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.surface import Severity

_MACRO = re.compile(r"@([a-z]+)@")


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of secret.

    `keywords` are in lower case; `pattern` is tried only `lead` characters before a keyword, so
    the cost is bounded by the number of keywords in the text and the bounded quantifiers of the
    pattern. The group ``secret`` of the pattern is the value, else the whole match is.
    """

    id: str
    title: str
    severity: Severity
    keywords: tuple[str, ...]
    pattern: re.Pattern[str]
    lead: int
    check: str
    entropy: float
    positive: tuple[str, ...]
    negative: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every detector, most specific first, and what marks a value as a placeholder."""

    detectors: tuple[Detector, ...]
    placeholder: re.Pattern[str]


@cache
def catalogue() -> Catalogue:
    """Return the built-in catalogue (``content/data/secrets.yaml``).

    Raises:
        FormatError: the data is damaged.
    """
    text = resources.files("keepwall.content").joinpath("data/secrets.yaml").read_text("utf-8")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        data = yaml.load(text, Loader=loader)  # noqa: S506 - both are safe loaders
        macros: Mapping[str, str] = data["macros"]
        return Catalogue(
            detectors=tuple(_detector(entry, macros) for entry in data["detectors"]),
            placeholder=re.compile("|".join(data["placeholders"]), re.IGNORECASE),
        )
    except (yaml.YAMLError, KeyError, TypeError, ValueError, re.error) as error:
        raise FormatError(
            f"the catalogue of secrets cannot be read: {error}",
            place="content/data/secrets.yaml",
            hint="reinstall keepwall",
        ) from error


def _detector(entry: Mapping[str, object], macros: Mapping[str, str]) -> Detector:
    pattern = _MACRO.sub(lambda found: macros[found[1]], str(entry["pattern"]))
    return Detector(
        id=str(entry["id"]),
        title=str(entry["title"]),
        severity=Severity(str(entry["severity"])),
        keywords=tuple(_text(word).lower() for word in _list(entry, "keywords")),
        pattern=re.compile(pattern),
        lead=int(str(entry.get("lead", 0))),
        check=str(entry.get("check", "entropy")),
        entropy=float(str(entry.get("entropy", 3.0))),
        positive=tuple(_text(example) for example in _list(entry, "positive")),
        negative=tuple(_text(example) for example in _list(entry, "negative")),
    )


def _list(entry: Mapping[str, object], key: str) -> Sequence[object]:
    value = entry[key]
    if not isinstance(value, list) or not value:
        raise ValueError(f"{entry['id']}: {key} must be a list with at least one entry")
    return value


def _text(value: object) -> str:
    """Return a string, or the parts under ``join`` as one: no scanner sees the joined value."""
    if isinstance(value, Mapping):
        return "".join(str(part) for part in value["join"])
    return str(value)
