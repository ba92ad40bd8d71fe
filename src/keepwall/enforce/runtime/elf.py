"""What else a program needs to start: its loader or its interpreter; nothing is executed."""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path

_PT_INTERP = 3
_HEADERS = 64 * 1024
_LONGEST = 4096


def interpreter(program: Path) -> str:
    """Return the path of the loader or of the script interpreter, or "" for neither.

    Source: System V ABI, chapter 5 (ELF64 PT_INTERP); a script names its interpreter after ``#!``.
    """
    head = _head(program)
    return _of_script(head) or _of_elf(head)


def script_interpreter(program: Path) -> str:
    """Return the path that a script names after ``#!``, or "" for what is no script."""
    return _of_script(_head(program))


def _head(program: Path) -> bytes:
    """Return the first bytes of a regular file; a FIFO in its place must not hold us up."""
    try:
        descriptor = os.open(program, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(_HEADERS) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""
    except OSError:
        return b""


def _of_script(head: bytes) -> str:
    if not head.startswith(b"#!"):
        return ""
    words = head[2:_LONGEST].split(b"\n", 1)[0].split()
    return words[0].decode("utf-8", "surrogateescape") if words else ""


def _of_elf(head: bytes) -> str:
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
