"""The dynamic loader that a program names (ELF64 PT_INTERP); nothing is executed."""

from __future__ import annotations

import struct
from pathlib import Path

_PT_INTERP = 3
_HEADERS = 64 * 1024
_LONGEST = 4096


def interpreter(program: Path) -> str:
    """Return the path of the loader or of the script interpreter, or "" for neither.

    Source: System V ABI, chapter 5; a script names its interpreter after ``#!``.
    """
    try:
        with program.open("rb") as file:
            head = file.read(_HEADERS)
    except OSError:
        return ""
    if head.startswith(b"#!"):
        words = head[2:_LONGEST].split(b"\n", 1)[0].split()
        return words[0].decode("utf-8", "surrogateescape") if words else ""
    if head[:5] != b"\x7fELF\x02" or len(head) < 64:  # noqa: PLR2004 - size of an ELF64 header
        return ""
    order = "<" if head[5] == 1 else ">"
    offset, size, count = (
        *struct.unpack_from(order + "Q", head, 32),
        *struct.unpack_from(order + "HH", head, 54),
    )
    for index in range(min(count, 128)):
        at = offset + index * size
        if at + 56 > len(head):
            return ""
        kind, _, start, _, _, length = struct.unpack_from(order + "IIQQQQ", head, at)
        if kind == _PT_INTERP and length <= _LONGEST and start + length <= len(head):
            return head[start : start + length].rstrip(b"\0").decode("utf-8", "surrogateescape")
    return ""
