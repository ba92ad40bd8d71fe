"""Text that others wrote, made safe to print and to encode."""

from __future__ import annotations

import re
import unicodedata

_SURROGATE = re.compile("[\ud800-\udfff]")
_HIDDEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that a reader cannot see, or that move what he does see."""


def well_formed(text: str) -> str:
    r"""Return `text` with lone surrogates (undecodable bytes of a file name) as ``\udcXX``.

    The result can always be encoded as UTF-8.
    """
    return _SURROGATE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def visible(text: str) -> str:
    r"""Return `text` on one line with every control and invisible character written out.

    Terminal escapes, line breaks, bidirectional overrides and the like become ``\x1b``, ``\n``
    or ``\u202e``, so that a hostile file name can neither steer a terminal nor fake a line.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_visible_character, text))


def _visible_character(character: str) -> str:
    if unicodedata.category(character) not in _HIDDEN:
        return character
    return character.encode("unicode_escape", "surrogatepass").decode("ascii")
