"""Detectors of secrets: loaded from data once, their patterns compiled when first needed."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources

import yaml

from keepwall.content.examples import example
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.surface import Severity

STREAM_WIDTH = 4_096
"""The widest window that a stream may hold back; wider detectors need the whole block."""
_DEFAULT_WIDTH = 512
_MACRO = re.compile(r"@([a-z]+)@")
_PREFIX = re.compile(r"[A-Za-z0-9_./:~-]{2,}(?![{*+?])")


@dataclass(frozen=True, slots=True)
class Detector:
    """One kind of secret.

    `keywords` are in lower case; the pattern is tried only `lead` bytes before a keyword, so the
    cost is bounded by the number of keywords in the input and the bounded quantifiers of the
    pattern. The group ``secret`` of the pattern is the value, else the whole match is.
    `max_width` bounds, in bytes, what a match looks at from the keyword on. With `runs`, values are
    long and may hold what would mark a shorter one as a placeholder.
    """

    id: str
    title: str
    severity: Severity
    keywords: tuple[str, ...]
    source: str
    lead: int
    max_width: int
    check: str
    entropy: float
    validator: str
    runs: bool
    positive: tuple[str, ...]
    negative: tuple[str, ...]

    @property
    def pattern(self) -> re.Pattern[bytes]:
        """The pattern, over bytes: words and case are those of ASCII."""
        return _compiled(self.source)

    @property
    def block_only(self) -> bool:
        """Whether a match may be wider than a stream can hold back."""
        return self.lead + self.max_width > STREAM_WIDTH


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Every detector, most specific first, and what marks a value as nobody's credential.

    `keywords` are those of all detectors, and `holders` the numbers of the detectors of each;
    `published` holds SHA-256 digests of values that providers print in their documentation.
    """

    detectors: tuple[Detector, ...]
    placeholder: re.Pattern[str]
    published: frozenset[str]
    keywords: tuple[bytes, ...]
    holders: tuple[tuple[int, ...], ...]


@cache
def _compiled(source: str) -> re.Pattern[bytes]:
    return re.compile(source.encode())


@cache
def catalogue() -> Catalogue:
    """Return the built-in catalogue (``content/data/secrets``).

    Raises:
        FormatError: the data is damaged.
    """
    folder = resources.files("keepwall.content").joinpath("data/secrets")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    place = "content/data/secrets"
    try:
        shared = yaml.load(folder.joinpath("shared.yaml").read_text("utf-8"), Loader=loader)  # noqa: S506 - both are safe loaders
        detectors: list[Detector] = []
        for name in shared["order"]:
            place = f"content/data/secrets/{name}.yaml"
            entries = yaml.load(folder.joinpath(f"{name}.yaml").read_text("utf-8"), Loader=loader)  # noqa: S506 - both are safe loaders
            detectors += (_detector(entry, shared["macros"]) for entry in entries)
        return _catalogue(tuple(detectors), shared)
    except (yaml.YAMLError, KeyError, TypeError, ValueError, re.error) as error:
        raise FormatError(
            f"the catalogue of secrets cannot be read: {error}",
            place=place,
            hint="reinstall keepwall",
        ) from error


def _catalogue(detectors: tuple[Detector, ...], shared: Mapping[str, list[str]]) -> Catalogue:
    holders: dict[bytes, list[int]] = {}
    for number, detector in enumerate(detectors):
        for word in detector.keywords:
            holders.setdefault(word.encode(), []).append(number)
    return Catalogue(
        detectors=detectors,
        placeholder=re.compile("|".join(shared["placeholders"]), re.IGNORECASE),
        published=frozenset(shared["published"]),
        keywords=tuple(holders),
        holders=tuple(tuple(numbers) for numbers in holders.values()),
    )


def _detector(entry: Mapping[str, object], macros: Mapping[str, str]) -> Detector:
    keywords, pattern = _shape(entry)
    return Detector(
        id=str(entry["id"]),
        title=str(entry["title"]),
        severity=Severity(str(entry.get("severity", "critical"))),
        keywords=tuple(word.lower() for word in keywords),
        source=_MACRO.sub(lambda found: macros[found[1]], pattern),
        lead=int(str(entry.get("lead", 0))),
        max_width=int(str(entry.get("max_width", _DEFAULT_WIDTH))),
        check=str(entry.get("check", "entropy")),
        entropy=float(str(entry.get("entropy", 3.0))),
        validator=str(entry.get("validator", "")),
        runs=bool(entry.get("runs", False)),
        positive=tuple(example(each) for each in _list(entry, "positive")),
        negative=tuple(example(each) for each in _list(entry, "negative")),
    )


def _shape(entry: Mapping[str, object]) -> tuple[Sequence[str], str]:
    """Return the keywords and the pattern, written out or from one of the two common shapes."""
    if "token" in entry:
        token = str(entry["token"])
        prefix = _PREFIX.match(token)
        keywords = (
            _list(entry, "keywords") if "keywords" in entry else [prefix[0] if prefix else ""]
        )
        return keywords, f"@start@{token}@end@"
    if "value" in entry:
        names = _list(entry, "names")
        alternatives = "|".join(re.escape(name) for name in names)
        return names, f"(?i:{alternatives})@assign@(?P<secret>{entry['value']})@end@"
    return _list(entry, "keywords"), str(entry["pattern"])


def _list(entry: Mapping[str, object], key: str) -> list[str]:
    value = entry[key]
    if not isinstance(value, list) or not value or not all(isinstance(each, str) for each in value):
        raise ValueError(f"{entry['id']}: {key} must be a list of texts with at least one entry")
    return value
