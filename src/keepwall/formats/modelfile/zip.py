"""Zip archives as far as models need them: the directory, and bounded members.

PKWARE APPNOTE 6.3.10: sections 4.3.7 (local header), 4.3.12 (directory), 4.3.14-4.3.16 (its end).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from keepwall.formats.modelfile.bytes_at import BytesAt
from keepwall.vocabulary.errors import FormatError

_END = b"PK\x05\x06"
_END64 = b"PK\x06\x06"
_LOCATOR64 = b"PK\x06\x07"
_ENTRY = b"PK\x01\x02"
_LOCAL = b"PK\x03\x04"
_STORED, _DEFLATED = 0, 8
_MAXIMUM_DIRECTORY = 16 << 20
_MAXIMUM_ENTRIES = 100_000
_UNSET32 = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Member:
    """An entry of the directory; sizes in bytes, as the archive claims them."""

    name: str
    method: int
    encrypted: bool
    compressed: int
    size: int
    header: int


def read_directory(source: BytesAt) -> list[Member]:
    """Return the members that the central directory lists.

    Raises:
        FormatError: it is no zip archive, or its directory is damaged or larger than 16 MiB.
    """
    tail_start = max(source.size - 65_557, 0)
    tail = source.read_at(tail_start, 65_557)
    end = tail.rfind(_END)
    if end < 0 or len(tail) - end < 22:  # noqa: PLR2004 - size of the record
        raise FormatError("not a zip archive: it has no directory")
    count, length, start = struct.unpack_from("<10xHII", tail, end)
    if end >= 20 and tail[end - 20 : end - 16] == _LOCATOR64:  # noqa: PLR2004 - size of the record
        (place,) = struct.unpack_from("<8xQ", tail, end - 20)
        record = source.read_at(place, 56)
        if record[:4] != _END64 or len(record) < 56:  # noqa: PLR2004 - size of the record
            raise FormatError("the zip64 directory is damaged")
        count, length, start = struct.unpack_from("<32xQQQ", record)
    if length > _MAXIMUM_DIRECTORY or count > _MAXIMUM_ENTRIES:
        raise FormatError(f"a zip directory of {count} members and {length} bytes is not read")
    directory = source.read_at(start, length)
    return list(_entries(directory))


def _entries(directory: bytes) -> list[Member]:
    members: list[Member] = []
    offset = 0
    while directory[offset : offset + 4] == _ENTRY and len(directory) - offset >= 46:  # noqa: PLR2004 - size of the record
        flags, method, compressed, size, name_length, extra_length, comment, header = (
            struct.unpack_from("<8xHH8xIIHHH8xI", directory, offset)
        )
        name_start = offset + 46
        extra_start = name_start + name_length
        name = directory[name_start:extra_start].decode("utf-8", "replace")
        extra = directory[extra_start : extra_start + extra_length]
        size, compressed, header = _zip64(extra, size, compressed, header)
        members.append(Member(name, method, bool(flags & 1), compressed, size, header))
        offset = extra_start + extra_length + comment
    return members


def _zip64(extra: bytes, size: int, compressed: int, header: int) -> tuple[int, int, int]:
    """Return sizes and offset with what the zip64 extra field (id 1) puts in their place."""
    offset = 0
    while offset + 4 <= len(extra):
        identity, length = struct.unpack_from("<HH", extra, offset)
        if identity == 1:
            values = [
                int.from_bytes(extra[at : at + 8], "little")
                for at in range(offset + 4, min(offset + 4 + length, len(extra) - 7), 8)
            ]
            fields = [size, compressed, header]
            for index, value in enumerate(fields):
                if value == _UNSET32 and values:
                    fields[index] = values.pop(0)
            return fields[0], fields[1], fields[2]
        offset += 4 + length
    return size, compressed, header


@dataclass(frozen=True, slots=True)
class Slice:
    """A stored member, read where it lies in the archive."""

    source: BytesAt
    start: int
    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset` of the member."""
        length = min(length, max(self.size - offset, 0))
        return self.source.read_at(self.start + offset, length)


def member_slice(source: BytesAt, member: Member) -> Slice:
    """Return where the raw bytes of `member` lie.

    Raises:
        FormatError: its local header is not there, or it is encrypted.
    """
    head = source.read_at(member.header, 30)
    if head[:4] != _LOCAL or len(head) < 30 or member.encrypted:  # noqa: PLR2004 - size of the record
        raise FormatError("a member of the archive cannot be read", place=member.name[:100])
    name_length, extra_length = struct.unpack_from("<26xHH", head)
    return Slice(source, member.header + 30 + name_length + extra_length, member.compressed)


def read_member(source: BytesAt, member: Member, limit: int) -> bytes:
    """Return the first `limit` bytes of `member`, unpacked.

    Raises:
        FormatError: it is damaged, encrypted, or packed in a way that is not read.
    """
    raw = member_slice(source, member)
    if member.method == _STORED:
        return raw.read_at(0, limit)
    if member.method != _DEFLATED:
        raise FormatError(f"packing method {member.method} is not read", place=member.name[:100])
    return inflate(raw, limit, wbits=-zlib.MAX_WBITS)


def inflate(raw: BytesAt, limit: int, *, wbits: int) -> bytes:
    """Return up to `limit` bytes of what `raw` unpacks to; input is taken only as it is needed.

    Raises:
        FormatError: the packed bytes are damaged.
    """
    unpacker = zlib.decompressobj(wbits)
    pieces: list[bytes] = []
    offset = total = 0
    try:
        while total < limit and not unpacker.eof and offset < raw.size:
            chunk = raw.read_at(offset, 1 << 16)
            if not chunk:
                break
            offset += len(chunk)
            while chunk and total < limit:
                piece = unpacker.decompress(chunk, limit - total)
                total += len(piece)
                pieces.append(piece)
                chunk = unpacker.unconsumed_tail
    except zlib.error as error:
        raise FormatError(f"packed bytes are damaged: {error}") from error
    return b"".join(pieces)
