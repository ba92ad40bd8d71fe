"""Packed pickles: what joblib and people put gzip, zlib, bzip2, xz, lzma or lz4 around."""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterator, Mapping
from typing import Protocol

from keepwall.formats.modelfile.bytes_at import BytesAt
from keepwall.formats.modelfile.zip import inflate
from keepwall.vocabulary.errors import FormatError

_MAGIC: Mapping[str, bytes] = {
    "gzip": b"\x1f\x8b",
    "bzip2": b"BZh",
    "xz": b"\xfd7zXZ\x00",
    "lzma": b"\x5d\x00\x00",
    "lz4": b"\x04\x22\x4d\x18",
    "zstandard": b"\x28\xb5\x2f\xfd",
    "7z": b"7z\xbc\xaf\x27\x1c",
}
_ZLIB = (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda")
UNREAD = frozenset({"lz4", "zstandard", "7z"})
"""Packings that are recognised and not unpacked; what they hold is named as unread."""
_MEMORY = 256 << 20


class _Unpacker(Protocol):
    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    def decompress(self, data: bytes, max_length: int = ..., /) -> bytes: ...


def packing(head: bytes) -> str:
    """Return how the content that starts with `head` is packed; empty where it is not."""
    if head[:2] in _ZLIB:
        return "zlib"
    return next((name for name, magic in _MAGIC.items() if head.startswith(magic)), "")


def unpacked(source: BytesAt, kind: str, limit: int) -> bytes:
    """Return up to `limit` bytes of what `source`, packed as `kind`, holds.

    Raises:
        FormatError: it is damaged, asks for more memory than 256 MiB, or is of `UNREAD`.
    """
    if kind in ("zlib", "gzip"):
        wbits = zlib.MAX_WBITS | (16 if kind == "gzip" else 0)
        return inflate(source, limit, wbits=wbits)
    if kind == "bzip2":
        return b"".join(_pieces(source, bz2.BZ2Decompressor(), limit))
    if kind in ("xz", "lzma"):
        form = lzma.FORMAT_XZ if kind == "xz" else lzma.FORMAT_ALONE
        return b"".join(_pieces(source, lzma.LZMADecompressor(form, memlimit=_MEMORY), limit))
    raise FormatError(f"packed with {kind}, which is not read")


def _pieces(source: BytesAt, unpacker: _Unpacker, limit: int) -> Iterator[bytes]:
    offset = total = 0
    try:
        while total < limit and not unpacker.eof:
            chunk = b""
            if unpacker.needs_input:
                chunk = source.read_at(offset, 1 << 16)
                if not chunk:
                    return
                offset += len(chunk)
            piece = unpacker.decompress(chunk, limit - total)
            total += len(piece)
            yield piece
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise FormatError(f"packed bytes are damaged: {error}") from error
