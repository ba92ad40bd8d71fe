"""Examples of credentials, written as templates so that no scanner takes them for real ones.

``%mixed(20)%`` stands for twenty made-up letters and digits, ``%hex(32)%`` for hexadecimal ones,
``%base62-crc32(ghp_)%`` for a token whose checksum holds, and ``%%`` for nothing, which parts a
text that would be recognised.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Mapping

from keepwall.content.validators import base62

_TEMPLATE = re.compile(r"%(?:([a-z0-9-]+)\(([\w-]{1,20})\))?%")
_MIXED = "Kw7Fixture4Value3For9Detector2Tests8Only5Not6Live1"
_HEX = "5eedc0ffee0facade7ac7ab1e0ddba110b5e45edb0a710ad1cab1e2d00d3fee1"
_DIGITS = "730182946551840293751662"
_CHECKED = 30


def example(template: str) -> str:
    """Return the text that a template of the catalogue stands for.

    Raises:
        KeyError: the template names a filler that does not exist.
    """
    return _TEMPLATE.sub(lambda found: _FILLERS[found[1]](found[2]) if found[1] else "", template)


def _cut(text: str) -> Callable[[str], str]:
    return lambda size: (text * (int(size) // len(text) + 1))[: int(size)]


def _checked(prefix: str) -> str:
    body = _cut(_MIXED)(str(_CHECKED))
    return f"{prefix}{body}{base62(zlib.crc32(body.encode()), 6)}"


_FILLERS: Mapping[str, Callable[[str], str]] = {
    "mixed": _cut(_MIXED),
    "upper": _cut(_MIXED.upper()),
    "lower": _cut(_MIXED.lower()),
    "hex": _cut(_HEX),
    "digits": _cut(_DIGITS),
    "x": _cut("x"),
    "zero": _cut("0"),
    "uuid": lambda _size: f"{_HEX[:8]}-{_HEX[8:12]}-4{_HEX[13:16]}-8{_HEX[17:20]}-{_HEX[20:32]}",
    "base62-crc32": _checked,
}
