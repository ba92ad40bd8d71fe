"""Packs of a Git repository: their indexes, and the headers of their entries.

Source: Git, ``Documentation/gitformat-pack.adoc``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from itertools import islice

from keepwall.formats.git_objects import BLOB, COMMIT, TAG, TREE
from keepwall.vocabulary.errors import FormatError

PACK_MAGIC = b"PACK"
PACK_HEADER_BYTES = 12
_KINDS = {1: COMMIT, 2: TREE, 3: BLOB, 4: TAG}
_OFFSET_DELTA, _ID_DELTA = 6, 7
_INDEX_MAGIC = b"\xfftOc"
_FANOUT_BYTES = 1_024
_LARGE = 0x80000000


@dataclass(frozen=True, slots=True)
class PackEntry:
    """The head of an entry: what follows at `start` is zlib of `size` bytes.

    `kind` is empty for a delta, which names its base by offset (`base_offset`) or by `base_id`.
    """

    kind: str
    size: int
    start: int
    base_offset: int = 0
    base_id: bytes = b""


def read_index(data: bytes, limit: int) -> tuple[list[tuple[bytes, int]], int]:
    """Return the ids (raw) with their offsets in the pack, and how many entries there are.

    No more than `limit` entries are returned. Versions 1 and 2 are known, with ids of SHA-1 or
    SHA-256 (version 2).

    Raises:
        FormatError: the index is damaged.
    """
    modern = data.startswith(_INDEX_MAGIC)
    fanout = 8 if modern else 0
    if len(data) < fanout + _FANOUT_BYTES:
        raise FormatError("damaged: an index that is cut")
    (count,) = struct.unpack_from(">I", data, fanout + _FANOUT_BYTES - 4)
    body = fanout + _FANOUT_BYTES
    if not modern:
        if len(data) < body + 24 * count + 40:
            raise FormatError("damaged: an index that is cut")
        entries = struct.iter_unpack(">I20s", data[body : body + 24 * count])
        return [(each[1], each[0]) for each in islice(entries, limit)], count
    id_size = 20 if len(data) < body + 40 * count + 64 else _id_size(data, body, count)
    small = body + (id_size + 4) * count
    large = small + 4 * count
    if len(data) < large + 2 * id_size:
        raise FormatError("damaged: an index that is cut")
    found: list[tuple[bytes, int]] = []
    for number in range(min(count, limit)):
        (offset,) = struct.unpack_from(">I", data, small + 4 * number)
        if offset & _LARGE:
            place = large + 8 * (offset ^ _LARGE)
            if place + 8 > len(data):
                raise FormatError("damaged: an index with an offset outside of it")
            (offset,) = struct.unpack_from(">Q", data, place)
        found.append((data[body + id_size * number : body + id_size * (number + 1)], offset))
    return found, count


def _id_size(data: bytes, body: int, count: int) -> int:
    """Return 20 or 32: with which of them the ids ascend, as they must."""
    for size in (20, 32):
        ids = [
            data[body + size * each : body + size * (each + 1)] for each in range(min(count, 99))
        ]
        if ids == sorted(ids):
            return size
    raise FormatError("damaged: an index whose ids are not in order")


def entry_head(data: bytes, offset: int, id_size: int = 20) -> PackEntry:
    """Return the head of the entry at `offset` of a pack; `data` are the bytes from there on.

    Raises:
        FormatError: the head is damaged.
    """
    try:
        byte = data[0]
        number, size, at, shift = byte >> 4 & 7, byte & 0x0F, 1, 4
        while byte & 0x80:
            byte = data[at]
            size |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
        if number in _KINDS:
            return PackEntry(_KINDS[number], size, at)
        if number == _ID_DELTA and len(data) >= at + id_size:
            return PackEntry("", size, at + id_size, base_id=data[at : at + id_size])
        if number == _OFFSET_DELTA:
            byte = data[at]
            back = byte & 0x7F
            at += 1
            while byte & 0x80:
                byte = data[at]
                back = back + 1 << 7 | byte & 0x7F
                at += 1
            if not 0 < back < offset:
                raise FormatError("damaged: a delta whose base lies outside of the pack")
            return PackEntry("", size, at, base_offset=offset - back)
    except IndexError as error:
        raise FormatError("damaged: an entry that is cut") from error
    raise FormatError(f"damaged: an entry of the unknown kind {number}")
