"""How records stand in a segment file: a file header, then length, two checksums and the bytes.

The length has a checksum of its own. Without it a changed length would look like a record that
the end of the file cuts off, and everything behind it would be cut as a torn tail.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zlib import crc32

from keepwall.vocabulary.errors import ConfigError, IntegrityError

MAX_RECORD = 1024 * 1024
"""Bytes of the largest record."""
_MAGIC = b"keepwall ledger1"
_FILE_HEADER = struct.Struct(">16sQI")
_FRAME = struct.Struct(">III")
_LENGTH = struct.Struct(">I")
FILE_HEADER_BYTES = _FILE_HEADER.size
MAX_FRAME = _FRAME.size + MAX_RECORD
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Frame:
    """A record that was found whole, with the offset at which its frame begins."""

    offset: int
    end: int
    record: bytes


@dataclass(frozen=True, slots=True)
class Torn:
    """A write that never finished: `length` bytes from `offset` to the end of the file."""

    offset: int
    length: int


def file_header(first: int, bits: int) -> bytes:
    """Return the first bytes of a segment: index of its first record, log2 of its capacity."""
    return _FILE_HEADER.pack(_MAGIC, first, bits)


def read_file_header(data: bytes, name: str) -> tuple[int, int]:
    """Return the first index and the bits of a segment.

    Raises:
        IntegrityError: it is not a segment.
    """
    if len(data) < FILE_HEADER_BYTES:
        raise IntegrityError(f"{name} is cut off inside its header")
    magic, first, bits = _FILE_HEADER.unpack_from(data)
    if magic != _MAGIC:
        raise IntegrityError(f"{name} is not a ledger segment")
    return first, bits


def frame(record: bytes) -> bytes:
    """Return `record` as it is written.

    Raises:
        ConfigError: it is over `MAX_RECORD`.
    """
    if len(record) > MAX_RECORD:
        raise ConfigError(f"a record of {len(record)} bytes is over the limit of {MAX_RECORD}")
    length = len(record)
    return _FRAME.pack(length, crc32(_LENGTH.pack(length)), crc32(record)) + record


def unframe(data: bytes, index: int) -> bytes:
    """Return the record in the frame that `data` begins with.

    Raises:
        IntegrityError: a checksum does not match, or the frame is cut off; names the record.
    """
    if len(data) < _FRAME.size:
        raise IntegrityError(f"record {index} is cut off")
    length, length_sum, record_sum = _FRAME.unpack_from(data)
    if crc32(_LENGTH.pack(length)) != length_sum or length > MAX_RECORD:
        raise IntegrityError(f"record {index} is damaged: its length is not what was written")
    record = data[_FRAME.size : _FRAME.size + length]
    if len(record) < length:
        raise IntegrityError(f"record {index} is cut off")
    if crc32(record) != record_sum:
        raise IntegrityError(f"record {index} is damaged: its bytes are not what was written")
    return record


def scan(file: BinaryIO, first: int, limit: int) -> Iterator[Frame | Torn]:
    """Yield the records from the position of `file` on, and last the torn tail if there is one.

    Torn is what an interrupted write leaves: a frame that the end of the file cuts off, or nothing
    but zeros (blocks that were reserved and never written).

    Raises:
        IntegrityError: anything else is wrong, or there are more than `limit` records.
    """
    offset = file.tell()
    for index in range(first, first + limit + 1):
        head = file.read(_FRAME.size)
        if not head:
            return
        length = _FRAME.unpack(head)[0] if len(head) == _FRAME.size else 0
        # a length that may be false is not read: unframe names it
        data = head + (file.read(length) if length <= MAX_RECORD else b"")
        if _unfinished(head, data, file):
            end = file.seek(0, 2)
            yield Torn(offset, end - offset)
            return
        record = unframe(data, index)
        if index == first + limit:
            raise IntegrityError(f"record {index} is in a segment that was full before it")
        yield Frame(offset, offset + len(data), record)
        offset += len(data)


def _unfinished(head: bytes, data: bytes, file: BinaryIO) -> bool:
    if len(head) < _FRAME.size:
        return True
    length, length_sum, _ = (int(each) for each in _FRAME.unpack(head))
    if crc32(_LENGTH.pack(length)) == length_sum:
        return length <= MAX_RECORD and len(data) < _FRAME.size + length
    chunk = data
    while chunk and not any(chunk):
        chunk = file.read(_CHUNK)
    return not chunk
