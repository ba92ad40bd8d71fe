"""Reading a log: records, roots and proofs, beside its writer or without it."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

from keepwall.foundation.ledger import merkle
from keepwall.foundation.ledger.frames import FILE_HEADER_BYTES, read_file_header
from keepwall.foundation.ledger.head import SignedHead
from keepwall.foundation.ledger.segment import Segment, full_root, load, load_indexed
from keepwall.foundation.trust.verify import Verifier
from keepwall.vocabulary.errors import ConfigError, IntegrityError

HEAD_FILE = "head.json"
MAX_HEAD = 64 * 1024
MAX_BITS = 20
_LOADED = 4
"""How many full segments stay in memory, each about 200 bytes a record."""


def segment_name(first: int) -> str:
    """Return the file name of the segment that begins with record `first`."""
    return f"{first:020d}.segment"


def begun(directory: Path) -> bool:
    """Say whether records may have been written: creation makes an empty file, then the head."""
    return any(path.stat().st_size for path in directory.glob("*.segment"))


class LedgerLog:
    """A log as it stood when it was opened.

    Opening checks the log against its last signed head, reads the newest segment whole, and takes
    the roots of full segments from their indexes: those roots lead to the head's, so a false index
    shows. A full segment's record is checked when it is read; `check` reads them all.
    """

    def __init__(self, directory: Path, verifier: Verifier) -> None:
        """Open the log in `directory` for reading; its writer may be at work.

        Raises:
            ConfigError: there is no log, or it cannot be read.
            IntegrityError: it is not what was signed; the message names the record.
        """
        self.directory = directory
        self.origin = directory.name
        self._loaded: OrderedDict[int, Segment] = OrderedDict()
        try:
            envelope = self._head_file()
            self._last_head = SignedHead.verified(envelope, verifier)
            self._load()
        except OSError as error:
            raise ConfigError(f"the ledger {directory} cannot be read: {error.strerror}") from error
        self._check_head()

    def _head_file(self) -> bytes:
        path = self.directory / HEAD_FILE
        if not path.exists():
            if begun(self.directory):
                raise IntegrityError(f"the signed head of the ledger is missing: {path}")
            raise ConfigError(f"there is no ledger in {self.directory}")
        with path.open("rb") as file:
            return file.read(MAX_HEAD)

    def _load(self) -> None:
        names = sorted(path.name for path in self.directory.glob("*.segment"))
        if not names:
            raise IntegrityError(f"the segments of the ledger {self.directory} are missing")
        with (self.directory / names[0]).open("rb") as file:
            header = file.read(FILE_HEADER_BYTES)
        # one file, cut inside its header, is a ledger whose creation was interrupted
        new = len(names) == 1 and len(header) < FILE_HEADER_BYTES
        self.bits = 0 if new else read_file_header(header, names[0])[1]
        if self.bits > MAX_BITS:
            raise IntegrityError(f"{names[0]} has a damaged header")
        expected = [segment_name(at << self.bits) for at in range(len(names))]
        for name, wanted in zip(names, expected, strict=True):
            if name != wanted:
                raise IntegrityError(f"{wanted} is missing from the ledger {self.directory}")
        self._full = merkle.Levels()
        for at, name in enumerate(names[:-1]):
            self._full.append(full_root(self.directory / name, at << self.bits, self.bits))
        first = (len(names) - 1) << self.bits
        self._active = load(self.directory / names[-1], first, self.bits)

    def _check_head(self) -> None:
        head = self._last_head
        if head.origin != self.origin:
            raise IntegrityError(f"the signed head is of the ledger {head.origin!r}")
        if head.size > self.size:
            raise IntegrityError(
                f"record {self.size} is missing: the signed head counts {head.size} records"
            )
        if self.root(head.size) != head.root:
            raise IntegrityError(
                f"records 0 to {head.size - 1} are not the ones that the head of "
                f"{head.at.isoformat()} signed"
            )

    @property
    def size(self) -> int:
        """How many records there are."""
        return self._active.first + self._active.count

    def root(self, size: int | None = None) -> bytes:
        """Return the root over the first `size` records, by default over all.

        Raises:
            ConfigError: there are fewer.
        """
        return merkle.root(self, self._checked(self.size if size is None else size))

    def record(self, index: int) -> bytes:
        """Return record `index`.

        Raises:
            ConfigError: there is none.
            IntegrityError: it is not the one that was appended.
        """
        if not 0 <= index < self.size:
            raise ConfigError(f"the ledger has no record {index}; it holds {self.size}")
        return self._segment(index >> self.bits).read(index)

    def records(self, start: int = 0) -> Iterator[tuple[int, bytes]]:
        """Yield index and bytes of every record from `start` on."""
        for index in range(start, self.size):
            yield index, self.record(index)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return the proof that record `index` is among the first `size`.

        Raises:
            ConfigError: it is not, or there are fewer records.
        """
        if not 0 <= index < self._checked(size):
            raise ConfigError(f"record {index} is not among the first {size}")
        return merkle.inclusion(self, index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return the proof that the log of `old` records begins the log of `new`.

        Raises:
            ConfigError: `old` is over `new`, or there are fewer records.
        """
        if old > new:
            raise ConfigError(f"a log of {old} records does not begin one of {new}")
        return merkle.consistency(self, self._checked(old), self._checked(new))

    def check(self) -> int:
        """Read and check every record, and return how many there are.

        Raises:
            IntegrityError: one is not what was appended; the message names it.
        """
        return sum(1 for _ in self.records())

    def sync(self) -> None:
        """Make durable what was read: a head must never count records that a crash may take."""
        with self._active.path.open("rb") as file:
            os.fsync(file.fileno())

    def perfect(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree (`merkle.Nodes`)."""
        if level >= self.bits and (index + 1) << (level - self.bits) <= self._full.size:
            return self._full.perfect(level - self.bits, index)
        if level > self.bits:
            # the newest segment is full too, and completes a larger subtree
            left, right = self.perfect(level - 1, 2 * index), self.perfect(level - 1, 2 * index + 1)
            return merkle.node_hash(left, right)
        within = self.bits - level
        segment = self._segment(index >> within)
        return segment.levels.perfect(level, index & ((1 << within) - 1))

    def _segment(self, number: int) -> Segment:
        if number << self.bits == self._active.first:
            return self._active
        if number in self._loaded:
            self._loaded.move_to_end(number)
            return self._loaded[number]
        first = number << self.bits
        path, root = self.directory / segment_name(first), self._full.perfect(0, number)
        self._loaded[number] = segment = load_indexed(path, first, self.bits, root)
        if len(self._loaded) > _LOADED:
            self._loaded.popitem(last=False)
        return segment

    def _checked(self, size: int) -> int:
        if not 0 <= size <= self.size:
            raise ConfigError(f"the ledger holds {self.size} records, not {size}")
        return size
