"""Find credentials in text and bytes, without ever handing the value on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

from keepwall.content.checks import CHECKS
from keepwall.content.detectors import Catalogue, Detector, catalogue
from keepwall.content.prefilter import Prefilter, prefilter
from keepwall.content.validators import Confidence, confidence
from keepwall.vocabulary.surface import Severity

_MASK_CHARACTERS = 4
_DIGEST_DIGITS = 16
_INSIDE_CHARACTERS = bytes(range(0x80, 0xC0))  # of UTF-8: the bytes that start no character


@dataclass(frozen=True, slots=True)
class SecretMatch:
    """A credential: where it is and how to recognise it again, never its value.

    `line` counts from 1; `start` and `end` are offsets of the value, of characters in a text and
    of bytes in bytes; `masked` shows its first four characters; `digest` is the start of its
    SHA-256; `confidence` says whether checksum or structure hold where the kind has them.
    """

    detector: str
    line: int
    start: int
    end: int
    masked: str
    digest: str
    severity: Severity = Severity.HIGH
    confidence: Confidence = Confidence.LIKELY


def find_secrets(text: str) -> list[SecretMatch]:
    """Return the credentials in `text`, in the order of their places; offsets are of characters.

    Where two detectors see the same characters, the one earlier in the catalogue (the more
    specific) wins. Placeholders, published examples, references to variables and values without
    entropy are left out. Time grows linearly with the length of the text, whatever it holds.
    """
    data = text.encode("utf-8", "surrogatepass")
    matches = find_secrets_in_bytes(data)
    return matches if len(data) == len(text) else list(_in_characters(data, matches))


def find_secrets_in_bytes(data: bytes, engine: Prefilter | None = None) -> list[SecretMatch]:
    """Return the credentials in UTF-8 or ASCII bytes as `find_secrets` does; offsets are of bytes.

    No match looks at more than `Detector.max_width` bytes from its keyword on and
    `Detector.lead` before it, so that a reader of a stream knows how much it has to hold back.
    `engine` is the prefilter to use instead of the one that suits the size.
    """
    known = catalogue()
    search = _Search(known, data, [0] * len(known.detectors), [])
    (engine or prefilter(known.keywords, len(data))).scan(data, search.hit)
    return list(_matches(data, known, _winners(data, search.spans)))


@dataclass(slots=True)
class _Search:
    """Confirms the hits of one pass: a span is the number of the detector, start and end."""

    known: Catalogue
    data: bytes
    done: list[int]
    spans: list[tuple[int, int, int]]

    def hit(self, keyword: int, place: int) -> None:
        """Try the detectors of a keyword where it stands."""
        for number in self.known.holders[keyword]:
            if place < self.done[number]:
                continue
            detector = self.known.detectors[number]
            found = detector.pattern.match(self.data, max(place - detector.lead, 0))
            if found is None:
                continue
            group = found.lastgroup or 0  # "secret" where that branch of the pattern took part
            if _is_real(detector, self.known, found[group].decode("utf-8", "replace")):
                self.spans.append((number, *found.span(group)))
                self.done[number] = found.end(group)


def _is_real(detector: Detector, known: Catalogue, value: str) -> bool:
    return (
        (detector.runs or not known.placeholder.search(value))
        and CHECKS[detector.check](value, detector.entropy)
        and hashlib.sha256(value.encode()).hexdigest() not in known.published
    )


def _winners(data: bytes, spans: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """Return the spans that no earlier detector has taken, in the order of their places."""
    if len(spans) <= 1:
        return spans
    taken = bytearray(len(data))
    kept: list[tuple[int, int, int]] = []
    for span in sorted(spans):
        _, start, end = span
        if taken.find(1, start, end) < 0:
            taken[start:end] = b"\1" * (end - start)
            kept.append(span)
    return sorted(kept, key=lambda span: span[1])


def _matches(
    data: bytes, known: Catalogue, spans: list[tuple[int, int, int]]
) -> Iterator[SecretMatch]:
    line, counted = 1, 0
    for number, start, end in spans:
        line += data.count(b"\n", counted, start)
        counted = start
        detector = known.detectors[number]
        value = data[start:end].decode("utf-8", "replace")
        yield SecretMatch(
            detector=detector.id,
            line=line,
            start=start,
            end=end,
            masked=f"{value[:_MASK_CHARACTERS]}…",
            digest=hashlib.sha256(data[start:end]).hexdigest()[:_DIGEST_DIGITS],
            severity=detector.severity,
            confidence=confidence(detector.validator, value),
        )


def _in_characters(data: bytes, matches: list[SecretMatch]) -> Iterator[SecretMatch]:
    """Yield the matches with offsets of characters instead of bytes."""
    counted, characters = 0, 0
    for match in matches:
        characters += _characters(data[counted : match.start])
        counted = match.start
        end = characters + _characters(data[match.start : match.end])
        yield replace(match, start=characters, end=end)


def _characters(data: bytes) -> int:
    return len(data.translate(None, _INSIDE_CHARACTERS))


def mask_secrets(text: str) -> str:
    """Return `text` with every credential cut to its first four characters and an ellipsis."""
    parts: list[str] = []
    done = 0
    for match in find_secrets(text):
        parts += (text[done : match.start], match.masked)
        done = match.end
    return "".join((*parts, text[done:]))
