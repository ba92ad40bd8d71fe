"""GGUF (llama.cpp): the key-value header, as far as it names the model and its chat template."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from keepwall.formats.modelfile.bytes_at import BytesAt, Cursor
from keepwall.vocabulary.errors import FormatError

MAGIC = b"GGUF"
_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
_STRING, _ARRAY = 8, 9
_MAXIMUM_PAIRS = 10_000
_MAXIMUM_TEXT = 200_000
_MAXIMUM_ITEMS = 5_000_000


@dataclass(frozen=True, slots=True)
class Gguf:
    """Version, number of tensors, and the texts of the header by key."""

    version: int
    tensors: int
    texts: dict[str, str]


def read_gguf(source: BytesAt) -> Gguf:
    """Return what the header says.

    Raises:
        FormatError: it is not GGUF, or the header is damaged.
    """
    cursor = Cursor(source)
    try:
        if cursor.read(4) != MAGIC:
            raise FormatError("not a GGUF file")
        version, tensors, pairs = struct.unpack("<IQQ", cursor.read(20))
        texts: dict[str, str] = {}
        for _ in range(min(pairs, _MAXIMUM_PAIRS)):
            key = _text(cursor)
            (kind,) = struct.unpack("<I", cursor.read(4))
            if kind == _STRING:
                texts[key[:200]] = _text(cursor)
            else:
                _skip(cursor, kind)
    except EOFError as error:
        raise FormatError("the GGUF header ends early") from error
    return Gguf(version, tensors, texts)


def _text(cursor: Cursor) -> str:
    (length,) = struct.unpack("<Q", cursor.read(8))
    kept = min(length, _MAXIMUM_TEXT)
    text = cursor.read(kept).decode("utf-8", "replace")
    cursor.skip(length - kept)
    return text


def _skip(cursor: Cursor, kind: int) -> None:
    if kind in _SCALARS:
        cursor.skip(_SCALARS[kind])
        return
    if kind != _ARRAY:
        raise FormatError(f"value type {kind} is not GGUF", place=f"byte {cursor.offset}")
    item, count = struct.unpack("<IQ", cursor.read(12))
    if item in _SCALARS:
        cursor.skip(_SCALARS[item] * count)
    elif item == _STRING and count <= _MAXIMUM_ITEMS:
        for _ in range(count):
            (length,) = struct.unpack("<Q", cursor.read(8))
            cursor.skip(length)
    else:
        raise FormatError("a nested or oversized array is not read", place=f"byte {cursor.offset}")
