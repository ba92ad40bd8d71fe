"""Find credentials in text, without ever handing the value on."""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.content.checks import CHECKS
from keepwall.content.detectors import Catalogue, Detector, catalogue
from keepwall.vocabulary.surface import Severity

_MASK_CHARACTERS = 4
_DIGEST_DIGITS = 16
_GROWS_IN_LOWER_CASE = "\u0130"  # the one character whose lower case is longer than itself


@dataclass(frozen=True, slots=True)
class SecretMatch:
    """A credential in a text: where it is and how to recognise it again, never its value.

    `line` counts from 1; `start` and `end` are character offsets of the value in the text;
    `masked` shows its first four characters; `digest` is the start of its SHA-256.
    """

    detector: str
    line: int
    start: int
    end: int
    masked: str
    digest: str
    severity: Severity = Severity.HIGH


@dataclass(frozen=True, slots=True)
class _Span:
    start: int
    end: int
    detector: Detector


def find_secrets(text: str) -> list[SecretMatch]:
    """Return the credentials in `text`, in the order of their places.

    Where two detectors see the same characters, the one earlier in the catalogue (the more
    specific) wins. Placeholders, references to variables and values without entropy are left out.
    Time grows linearly with the length of the text, whatever it holds.
    """
    known = catalogue()
    lowered = text.replace(_GROWS_IN_LOWER_CASE, "I").lower()
    kept: list[_Span] = []
    starts: list[int] = []
    for detector in known.detectors:
        for span in _spans(detector, known, text, lowered):
            index = bisect_left(starts, span.start)
            overlaps_next = index < len(kept) and kept[index].start < span.end
            if overlaps_next or (index and kept[index - 1].end > span.start):
                continue
            kept.insert(index, span)
            starts.insert(index, span.start)
    return list(_matches(text, kept))


def _spans(detector: Detector, known: Catalogue, text: str, lowered: str) -> Iterator[_Span]:
    check = CHECKS[detector.check]
    for keyword in detector.keywords:
        position = lowered.find(keyword)
        while position >= 0:
            following = position + len(keyword)
            found = detector.pattern.match(text, max(position - detector.lead, 0))
            if found:
                group = found.lastgroup or 0  # "secret" where that branch of the pattern took part
                value = found[group]
                if not known.placeholder.search(value) and check(value, detector.entropy):
                    yield _Span(found.start(group), found.end(group), detector)
                    following = max(following, found.end(group))
            position = lowered.find(keyword, following)


def _matches(text: str, spans: list[_Span]) -> Iterator[SecretMatch]:
    line, counted = 1, 0
    for span in spans:
        line += text.count("\n", counted, span.start)
        counted = span.start
        value = text[span.start : span.end]
        yield SecretMatch(
            detector=span.detector.id,
            line=line,
            start=span.start,
            end=span.end,
            masked=f"{value[:_MASK_CHARACTERS]}…",
            digest=hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[
                :_DIGEST_DIGITS
            ],
            severity=span.detector.severity,
        )


def mask_secrets(text: str) -> str:
    """Return `text` with every credential cut to its first four characters and an ellipsis."""
    parts: list[str] = []
    done = 0
    for match in find_secrets(text):
        parts += (text[done : match.start], match.masked)
        done = match.end
    return "".join((*parts, text[done:]))
