"""How values that came from inspected things are shown: never able to disguise themselves."""

from __future__ import annotations

import json
import re
import shlex
import unicodedata
from datetime import datetime

from markupsafe import Markup

_SUSPECT = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls other than tab and newline: terminal escapes
    r"\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"  # invisible
    r"\ud800-\udfff"  # bytes of file names that are not text
    r"\U000e0000-\U000e0fff]"  # tags and selectors that hide text in text
)


def visible(value: object) -> str:
    """Return the text of a value, with characters that hide, reorder or control as escapes.

    Markup passes, because it is ours and was made of values that came through here. This is the
    `finalize` of every template, so no value can skip it.
    """
    return value if isinstance(value, Markup) else _SUSPECT.sub(_escape, str(value))


def shell(value: str) -> str:
    """Return `value` as one word of a shell command, safe to be copied into a terminal."""
    if _SUSPECT.search(value) or "\n" in value or "\t" in value:
        # Bash's own quoting: nothing in the word can act on the terminal that it is pasted into.
        inner = "".join(_ansi_c(character) for character in value)
        return f"$'{inner}'"
    return shlex.quote(value)


def toml(value: str) -> str:
    """Return `value` as a basic string of TOML, safe to be copied into a file."""
    return json.dumps(_SUSPECT.sub(_escape, value), ensure_ascii=False).replace("\x7f", "\\u007f")


def when(value: datetime | None) -> str:
    """Return a time to the second in UTC, or a dash."""
    return value.strftime("%Y-%m-%d %H:%M:%S") if value else "—"


def precise(value: datetime | None) -> str:
    """Return a time to the millisecond in UTC, or a dash: what answered within a second shows."""
    return f"{when(value)}.{value.microsecond // 1000:03d}" if value else "—"


def ago(value: datetime | None, now: datetime) -> str:
    """Return how long ago a time was, in the one unit that says most, or a dash."""
    if value is None:
        return "—"
    seconds = max(0, int((now - value).total_seconds()))
    for length, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= length:
            return f"{counted(seconds // length, unit)} ago"
    return "just now"


def lasted(start: datetime, end: datetime) -> str:
    """Return how long something took, such as ``1.3 s`` or ``2 min 5 s``."""
    seconds = max(0.0, (end - start).total_seconds())
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.1f} s"
    return f"{int(seconds // 60)} min {int(seconds % 60)} s"


def counted(number: int, one: str, many: str = "") -> str:
    """Return a number with its noun, such as ``1 finding`` or ``3 findings``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if "\udc80" <= character <= "\udcff":  # a byte, as surrogateescape carries it
        return f"\\x{ord(character) & 0xFF:02x}"
    if character <= "\xff":
        return f"\\x{ord(character):02x}"
    wide = character > "\uffff"
    return f"\\U{ord(character):08x}" if wide else f"\\u{ord(character):04x}"


def _ansi_c(character: str) -> str:
    if character in "\\'":
        return f"\\{character}"
    if character.isprintable() and unicodedata.category(character) != "Cf":
        return character
    raw = character.encode(
        "utf-8", "surrogateescape" if "\udc80" <= character <= "\udcff" else "surrogatepass"
    )
    return "".join(f"\\x{byte:02x}" for byte in raw)
