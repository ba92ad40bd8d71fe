"""One file of records, with the offsets and hashes that prove them.

A segment holds at most ``2**bits`` records, so a full one is a complete subtree. A full segment
gets an index file (leaf hashes, offsets, its root): a cache that is rebuilt when it is missing,
and that proves nothing, because every root is checked against the signed head.
"""

from __future__ import annotations

import os
import struct
from array import array
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from keepwall.foundation.ledger.frames import (
    FILE_HEADER_BYTES,
    MAX_FRAME,
    Torn,
    read_file_header,
    scan,
    unframe,
)
from keepwall.foundation.ledger.merkle import HASH_BYTES, Levels, leaf_hash
from keepwall.foundation.trust.files import write_private
from keepwall.vocabulary.errors import IntegrityError

_INDEX_MAGIC = b"keepwall index 1"
_INDEX_HEAD = struct.Struct(">16sQQ")
_OFFSET_BYTES = 8


@dataclass(slots=True)
class Segment:
    """The records from `first` on of one file; `end` is where the next frame goes."""

    path: Path
    first: int
    bits: int
    levels: Levels = field(default_factory=Levels)
    offsets: array[int] = field(default_factory=lambda: array("Q"))
    end: int = FILE_HEADER_BYTES
    torn: int = 0
    """Bytes of an unfinished write behind `end`."""

    @property
    def count(self) -> int:
        """How many records it holds."""
        return self.levels.size

    @property
    def capacity(self) -> int:
        """How many records it can hold."""
        return 1 << self.bits

    @property
    def root(self) -> bytes:
        """The hash over all records of a full segment."""
        return self.levels.perfect(self.bits, 0)

    def add(self, record: bytes, offset: int, end: int) -> None:
        """Take note of a record that stands in the file."""
        self.levels.append(leaf_hash(record))
        self.offsets.append(offset)
        self.end = end

    def read(self, index: int) -> bytes:
        """Return record `index` of the log.

        Raises:
            IntegrityError: it is not the record that was appended.
        """
        at = index - self.first
        start = self.offsets[at]
        stop = self.offsets[at + 1] if at + 1 < self.count else self.end
        with self.path.open("rb") as file:
            file.seek(start)
            record = unframe(file.read(stop - start), index)
        if leaf_hash(record) != self.levels.leaves[at]:
            raise IntegrityError(f"record {index} is not the one that was appended")
        return record

    def write_index(self) -> None:
        """Write the index of a full segment beside it.

        Raises:
            ConnectError: the file system refused.
        """
        head = _INDEX_HEAD.pack(_INDEX_MAGIC, self.first, self.end)
        offsets = struct.pack(f">{self.count}Q", *self.offsets)
        leaves = b"".join(self.levels.leaves)
        write_private(index_path(self.path), head + offsets + leaves + self.root)


def index_path(path: Path) -> Path:
    """Return where the index of the segment at `path` is."""
    return path.with_suffix(".index")


def load(path: Path, first: int, bits: int) -> Segment:
    """Return the segment at `path`, every record of it read and checked.

    Raises:
        IntegrityError: a record, or the header, is not what was written.
    """
    segment = Segment(path, first, bits)
    with path.open("rb") as file:
        size = os.fstat(file.fileno()).st_size
        if size < FILE_HEADER_BYTES:
            segment.end, segment.torn = 0, size
            return segment
        _check_header(file, segment)
        for found in scan(file, first, segment.capacity):
            if isinstance(found, Torn):
                segment.torn = found.length
            else:
                segment.add(found.record, found.offset, found.end)
    return segment


def load_indexed(path: Path, first: int, bits: int, root: bytes) -> Segment:
    """Return a full segment from its index, or from its records where there is none.

    Raises:
        IntegrityError: it does not have the root that the log was opened with.
    """
    segment = Segment(path, first, bits)
    if (index := index_path(path)).exists():
        count = segment.capacity
        with index.open("rb") as file:
            data = file.read(index_bytes(bits) + 1)
        if len(data) != index_bytes(bits):
            raise IntegrityError(f"{index.name} has the wrong length", hint=f"remove {index}")
        _, _, segment.end = _INDEX_HEAD.unpack_from(data)
        segment.offsets.extend(struct.unpack_from(f">{count}Q", data, _INDEX_HEAD.size))
        start = _INDEX_HEAD.size + count * _OFFSET_BYTES
        for at in range(start, start + count * HASH_BYTES, HASH_BYTES):
            segment.levels.append(data[at : at + HASH_BYTES])
        _check_offsets(segment)
    else:
        segment = load(path, first, bits)
    if segment.count != segment.capacity or segment.root != root:
        last = first + segment.capacity - 1
        raise IntegrityError(f"records {first} to {last} are not the ones that were appended")
    return segment


def _check_header(file: BinaryIO, segment: Segment) -> None:
    header = read_file_header(file.read(FILE_HEADER_BYTES), segment.path.name)
    if header != (segment.first, segment.bits):
        raise IntegrityError(f"{segment.path.name} does not begin with record {segment.first}")


def _check_offsets(segment: Segment) -> None:
    """Refuse offsets that lead outside of the file or ask for more than a record."""
    places = [*segment.offsets, segment.end]
    if places[0] < FILE_HEADER_BYTES or any(
        not 0 < later - earlier <= MAX_FRAME for earlier, later in pairwise(places)
    ):
        name = index_path(segment.path)
        raise IntegrityError(f"{name.name} is damaged", hint=f"remove {name}")


def full_root(path: Path, first: int, bits: int) -> bytes:
    """Return the root of a full segment, from the end of its index where there is one.

    Raises:
        IntegrityError: records are missing or damaged, or the index is of another segment.
    """
    index = index_path(path)
    if not index.exists():
        segment = load(path, first, bits)
        if segment.count != segment.capacity or segment.torn:
            raise IntegrityError(f"record {first + segment.count} is missing from {path.name}")
        return segment.root
    with index.open("rb") as file:
        head = file.read(_INDEX_HEAD.size)
        size = file.seek(0, 2)
        if size != index_bytes(bits):
            raise IntegrityError(f"{index.name} has the wrong length", hint=f"remove {index}")
        magic, said, end = _INDEX_HEAD.unpack(head)
        if magic != _INDEX_MAGIC or said != first:
            raise IntegrityError(f"{index.name} is of another segment", hint=f"remove {index}")
        file.seek(-HASH_BYTES, 2)
        root = file.read(HASH_BYTES)
    with path.open("rb") as file:
        _check_header(file, Segment(path, first, bits))
        if os.fstat(file.fileno()).st_size != end:
            raise IntegrityError(f"{path.name}, records from {first} on, has changed its length")
    return root


def index_bytes(bits: int) -> int:
    """Return how long an index is."""
    return _INDEX_HEAD.size + (_OFFSET_BYTES + HASH_BYTES) * (1 << bits) + HASH_BYTES
