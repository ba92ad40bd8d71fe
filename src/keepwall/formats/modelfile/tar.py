"""Tar archives as far as models need them (NeMo): the members, where they lie (POSIX ustar)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.formats.modelfile.bytes_at import BytesAt
from keepwall.formats.modelfile.zip import Slice

_BLOCK = 512
_MAGIC = slice(257, 262)
_MAXIMUM_MEMBERS = 2_000


@dataclass(frozen=True, slots=True)
class TarMember:
    """A file in the archive: its name, and its content where it lies."""

    name: str
    content: Slice


def is_tar(source: BytesAt) -> bool:
    """Return whether the content starts as a tar archive does."""
    return source.read_at(0, _BLOCK)[_MAGIC] == b"ustar"


def read_tar(source: BytesAt) -> Iterator[TarMember]:
    """Yield the regular files of the archive; it ends at the first block that is none of it."""
    offset = 0
    for _ in range(_MAXIMUM_MEMBERS):
        head = source.read_at(offset, _BLOCK)
        if len(head) < _BLOCK or head[_MAGIC] != b"ustar":
            return
        size = _octal(head[124:136])
        if size is None:
            return
        name = head[:100].partition(b"\0")[0].decode("utf-8", "replace")
        start = offset + _BLOCK
        if head[156:157] in (b"0", b"\0"):
            yield TarMember(name, Slice(source, start, min(size, max(source.size - start, 0))))
        offset = start + (size + _BLOCK - 1) // _BLOCK * _BLOCK


def _octal(text: bytes) -> int | None:
    if text[:1] == b"\x80":
        return int.from_bytes(text[1:], "big")
    digits = text.strip(b" \0")
    return int(digits, 8) if digits and all(each in b"01234567" for each in digits) else None
