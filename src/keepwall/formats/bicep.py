"""Bicep: the resources and modules that a file declares, as far as they are literals.

A small bounded reader and no compiler: objects, arrays, texts and numbers are read, names of
parameters and variables with a literal value are filled in, and every other expression becomes
``${expression}``. Grammar: learn.microsoft.com, "Bicep file structure and syntax".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from keepwall.formats.declared import Declared
from keepwall.vocabulary.json_value import JsonValue

_DECLARATION = re.compile(
    r"^[ \t]*(?P<word>resource|module)\s+(?P<name>\w{1,200})\s+'(?P<what>[^'\n]{1,300})'"
    r"(?P<existing>\s+existing)?\s*=\s*",
    re.MULTILINE,
)
_VALUE = re.compile(
    r"^[ \t]*(?:param\s+(?P<param>\w{1,200})\s+[\w|'. \t\[\]?-]{1,300}?"
    r"|var\s+(?P<var>\w{1,200})\s*)"
    r"=[ \t]*",
    re.MULTILINE,
)
_COMMENT = re.compile(r"//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/")
_SPACE = re.compile(r"(?:\s++|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/)*+")
_KEY = re.compile(r"(?:(?P<name>[A-Za-z_]\w{0,200})|'(?P<quoted>[^'\n]{0,200})')[ \t]*:")
_TEXT = re.compile(
    r"'''(?P<long>(?:[^']|'(?!'')){0,20000}+)'''|'(?P<short>(?:[^'\\\n]|\\.){0,20000}+)'"
)
_ATOM = re.compile(r"(?P<number>-?\d{1,18})(?![\w.])|(?P<word>true|false|null)\b")
_NAME = re.compile(r"[A-Za-z_]\w{0,200}\Z")
_GUARD = re.compile(r"(?:if\s*\(|\[\s*for\b[^:\n]{1,300}:\s*(?:if\s*\()?)")
_DEPTH = 30
_ITEMS = 20_000
_FILE = 1 << 20
_LONGEST = 20_000
"""Characters of one expression; what is longer is cut there."""
_WORK = 4 << 20
_ESCAPED = (("\\'", "'"), ("\\$", "$"), ("\\n", "\n"), ("\\\\", "\\"))


@dataclass(frozen=True, slots=True)
class BicepFile:
    """What a file declares; a module's `type` is its path or its address in a registry."""

    resources: tuple[Declared, ...] = ()
    modules: tuple[Declared, ...] = ()
    values: Mapping[str, JsonValue] = field(default_factory=dict)
    """Variables and defaults of parameters, by name."""


def read_bicep(text: str, given: Mapping[str, JsonValue] | None = None) -> BicepFile:
    """Return the resources and modules of a file; `given` are values for its parameters.

    What is no Bicep gives nothing; resources that exist elsewhere are left out.
    """
    text = text[:_FILE]
    reader = _Reader(text)
    reader.known.update(given or {})
    for found in _VALUE.finditer(text):
        if reader.exhausted:
            break
        value, _ = reader.value(found.end(), 0)
        reader.known.setdefault(found["param"] or found["var"], value)
    resources: list[Declared] = []
    modules: list[Declared] = []
    line = place = 0
    for found in _DECLARATION.finditer(text):
        if found["existing"] or reader.exhausted:
            continue
        body = reader.body(found.end())
        line += text.count("\n", place, found.start("word")) + (not line)
        place = found.start("word")
        if found["word"] == "module":
            modules.append(Declared(found["name"], found["what"], body, line))
        elif (kind := found["what"].partition("@")[0]).count("/"):
            resources.append(Declared(found["name"], kind, body, line))
    return BicepFile(tuple(resources), tuple(modules), reader.known)


@dataclass(slots=True)
class _Reader:
    """Reads values of one file; `known` are names with their values."""

    text: str
    known: dict[str, JsonValue] = field(default_factory=dict)
    items: int = 0
    looked_at: int = 0
    """Characters of expressions that were read so far, those of outer ones again."""

    @property
    def exhausted(self) -> bool:
        """Whether as much was read as is read of one file."""
        return self.items >= _ITEMS or self.looked_at >= _WORK

    def body(self, start: int) -> Mapping[str, JsonValue]:
        """Return the object that a declaration assigns, past conditions and loops."""
        start = self._space(start)
        while guard := _GUARD.match(self.text, start):
            end = guard.end()
            start = self._space(self._closed(end) if guard[0].endswith("(") else end)
        value, _ = self.value(start, 0)
        return value if isinstance(value, Mapping) else {}

    def value(self, start: int, depth: int) -> tuple[JsonValue, int]:
        """Return the value at `start` and where it ends."""
        self.items += 1
        start = self._space(start)
        first = self.text[start : start + 1]
        if depth < _DEPTH and not self.exhausted:
            if first == "{":
                return self._object(start + 1, depth)
            if first == "[" and not _GUARD.match(self.text, start):
                return self._array(start + 1, depth)
        end = self._expression(start)
        written = self.text[start:end].strip()
        if (match := _TEXT.match(self.text, start)) and match.end() >= start + len(written):
            if match["long"] is not None:
                return match["long"].removeprefix("\n"), end
            return self._filled(match["short"]), end
        if (atom := _ATOM.match(self.text, start)) and atom.end() >= start + len(written):
            words: Mapping[str, JsonValue] = {"true": True, "false": False, "null": None}
            return (int(atom["number"]) if atom["number"] else words[atom["word"]]), end
        if _NAME.match(written) and written in self.known:
            return self.known[written], end
        return f"${{{written[:300]}}}", end

    def _filled(self, text: str) -> str:
        """Return a text with its escapes resolved, and names in it where they are known texts."""

        def known(found: re.Match[str]) -> str:
            value = self.known.get(found[1])
            return value if isinstance(value, str) and len(value) < 300 else found[0]  # noqa: PLR2004 - no bomb of names within names

        for escaped, plain in _ESCAPED:
            text = text.replace(escaped, plain)
        return re.sub(r"\$\{(\w{1,100})\}", known, text)[:20_000]

    def _object(self, start: int, depth: int) -> tuple[dict[str, JsonValue], int]:
        found: dict[str, JsonValue] = {}
        at = self._space(start)
        while at < len(self.text) and self.text[at] != "}":
            key = _KEY.match(self.text, at)
            if key is None:
                at = self._space(self._expression(at) + 1)
                self.items += 1
            else:
                value, at = self.value(key.end(), depth + 1)
                found[key["name"] or key["quoted"] or ""] = value
            at = self._next(at)
            if self.exhausted:
                break
        return found, at + 1

    def _array(self, start: int, depth: int) -> tuple[list[JsonValue], int]:
        found: list[JsonValue] = []
        at = self._space(start)
        while at < len(self.text) and self.text[at] != "]" and not self.exhausted:
            before = at
            value, at = self.value(at, depth + 1)
            found.append(value)
            at = self._next(at)
            at += at == before
        return found, at + 1

    def _next(self, start: int) -> int:
        at = self._space(start)
        return self._space(at + 1) if self.text[at : at + 1] == "," else at

    def _space(self, start: int) -> int:
        found = _SPACE.match(self.text, start)
        return found.end() if found else start

    def _expression(self, start: int) -> int:
        """Return where an expression ends: at a line break, comma or bracket of its own level."""
        left = _WORK - self.looked_at
        at, open_, last = start, 0, min(len(self.text), start + min(_LONGEST, max(left, 0)))
        while at < last:
            letter = self.text[at]
            if letter == "'":
                text = _TEXT.match(self.text, at)
                at = text.end() if text else at + 1
                continue
            if letter == "/" and (comment := _COMMENT.match(self.text, at)):
                at = comment.end()
                continue
            if letter in "([{":
                open_ += 1
            elif letter in ")]}":
                if not open_:
                    break
                open_ -= 1
            elif not open_ and letter in "\n," and not self._goes_on(at):
                break
            at += 1
        self.looked_at += at - start
        return at

    def _goes_on(self, at: int) -> bool:
        """Return whether the next line continues an expression, as the branches of a choice do."""
        after = self._space(at)
        return self.text[at] == "\n" and self.text[after : after + 1] in ("?", ":")

    def _closed(self, start: int) -> int:
        """Return the place after the bracket that closes what was opened before `start`."""
        end = self._expression(start)
        while end < len(self.text) and self.text[end] in "\n,":
            end = self._expression(end + 1)
        return end + 1
