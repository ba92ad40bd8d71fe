"""Cut a Go template into text and actions, and an action into words."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

from keepwall.vocabulary.errors import FormatError

_OPEN = re.compile(r"\{\{(-(?=\s))?")
_COMMENT = re.compile(r"\s*/\*.*?\*/\s*(?:-)?\}\}", re.DOTALL)
_CLOSE = re.compile(r'"(?:[^"\\\n]++|\\.)*+"|`[^`]*+`|\'(?:[^\'\\\n]|\\.)\'|(\s-)?\}\}')
_WORD = re.compile(
    r"""(?P<space>\s+)
    |(?P<string>"(?:[^"\\\n]++|\\.)*+"|`[^`]*+`)
    |(?P<char>'(?:[^'\\\n]|\\.)+')
    |(?P<number>[-+]?(?:0[xX][0-9a-fA-F]{1,16}|\d{1,18}(?:\.\d{0,18})?(?:[eE][-+]?\d{1,2})?)(?![\w]))
    |(?P<variable>\$\w*)
    |(?P<field>(?:\.[A-Za-z_]\w*)+|\.)
    |(?P<name>[A-Za-z_]\w*)
    |(?P<assign>:=|=)
    |(?P<pipe>\|)|(?P<open>\()|(?P<close>\))|(?P<comma>,)""",
    re.VERBOSE,
)
_CONSTANTS = {"true": True, "false": False, "nil": None}
_MAXIMUM_ACTION = 20_000


@dataclass(frozen=True, slots=True)
class Token:
    """A word of an action; `joined` says that it follows the one before without a space."""

    kind: str
    value: object
    joined: bool = False


def chunks(text: str) -> list[tuple[str, str, int]]:
    """Return (``text`` or ``action``, content, line) in order, with spaces trimmed as `-` says.

    Raises:
        FormatError: an action is not closed.
    """
    found: list[tuple[str, str, int]] = []
    position, line, trim = 0, 1, False
    while position < len(text):
        opening = _OPEN.search(text, position)
        end = opening.start() if opening else len(text)
        piece, start = text[position:end], line
        line += piece.count("\n")
        if trim:
            kept = piece.lstrip()
            start += piece[: len(piece) - len(kept)].count("\n")
            piece = kept
        if opening and opening[1]:
            piece = piece.rstrip()
        if piece:
            found.append(("text", piece, start))
        if opening is None:
            break
        position, trim, action = _action(text, opening.end(), line)
        if action:
            found.append(("action", " ".join(action.split(" ")), line))
        line += text.count("\n", opening.start(), position)
    return found


def _action(text: str, start: int, line: int) -> tuple[int, bool, str]:
    """Return where the action that begins at `start` ends, whether it trims, and its words."""
    if comment := _COMMENT.match(text, start):
        return comment.end(), comment[0].endswith("-}}"), ""
    for match in _CLOSE.finditer(text, start, start + _MAXIMUM_ACTION):
        if match[0].endswith("}}") and match[0][0] not in "\"`'":
            return match.end(), bool(match[1]), text[start : match.start()].strip()
    raise FormatError("an action is not closed", place=f"line {line}")


def tokens(text: str, line: int) -> list[Token]:
    """Return the words of an action.

    Raises:
        FormatError: a character has no place in one.
    """
    found: list[Token] = []
    position, joined = 0, False
    while position < len(text):
        match = _WORD.match(text, position)
        if match is None:
            raise FormatError(f"unexpected {text[position]!r} in a template", place=f"line {line}")
        kind = str(match.lastgroup)
        position = match.end()
        if kind == "space":
            joined = False
            continue
        found.append(_token(kind, match[0], joined=joined))
        joined = True
    return [each for each in found if each.kind != "comma"]


def _token(kind: str, text: str, *, joined: bool) -> Token:
    if kind == "string":
        return Token("string", text[1:-1] if text[0] == "`" else _unquoted(text))
    if kind == "char":
        return Token("number", ord(text[1]) if len(text) == 3 else 0)  # noqa: PLR2004 - quotes and one character
    if kind == "number":
        return Token("number", _number(text))
    if kind == "name" and text in _CONSTANTS and not joined:
        return Token("constant", _CONSTANTS[text])
    return Token(kind, text, joined)


def _number(text: str) -> int | float:
    if "x" in text.lower():
        return int(text, 16)
    return float(text) if any(mark in text for mark in ".eE") else int(text)


def _unquoted(text: str) -> str:
    """Return a Go string; escapes that JSON does not know stay as they are."""
    try:
        found = json.loads(text)
    except ValueError:
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    return str(found)
