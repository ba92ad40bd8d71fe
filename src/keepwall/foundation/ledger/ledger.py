"""Writing a log: batches that are durable when `append` returns."""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from keepwall.foundation.clock import Clock
from keepwall.foundation.ledger import merkle
from keepwall.foundation.ledger.frames import file_header, frame
from keepwall.foundation.ledger.head import SignedHead
from keepwall.foundation.ledger.log import HEAD_FILE, LedgerLog, begun, segment_name
from keepwall.foundation.ledger.segment import Segment, load
from keepwall.foundation.trust.files import private_directory, sync_directory, write_private
from keepwall.foundation.trust.signer import Signer
from keepwall.foundation.trust.verify import Verifier
from keepwall.vocabulary.errors import ConfigError, ConnectError, KeepwallError

BITS = 14
"""log2 of the records in a segment: opening reads at most this many one by one."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Part:
    """What one append adds to one segment file."""

    path: Path
    first: int
    start: int
    frames: tuple[bytes, ...]
    header: bytes


class Ledger(LedgerLog):
    """The one writer of a log; safe to share among threads.

    A batch is appended whole or, when the disk refuses, not at all; after kill -9 a beginning of
    it may remain. A full disk only fails the batch; after any other failure nobody knows what is on
    the disk, so the ledger refuses further work until it is opened again.
    """

    def __init__(self, directory: Path, signer: Signer, clock: Clock, *, bits: int = BITS) -> None:
        """Open the log in `directory`, made first if there is none; `bits` only matters then.

        Raises:
            ConfigError: another writer is at work, or the directory cannot be used.
            IntegrityError: the log is not what was signed; the message names the record.
        """
        self._signer = signer
        self._clock = clock
        self._mutex = threading.RLock()
        self._failed = ""
        private_directory(directory)
        self._lock = _locked(directory)
        try:
            if not (directory / HEAD_FILE).exists() and not begun(directory):
                head = SignedHead.sign(signer, directory.name, 0, merkle.EMPTY_ROOT, clock.now())
                (directory / segment_name(0)).touch(mode=0o600)
                write_private(directory / HEAD_FILE, head.envelope)
            super().__init__(directory, Verifier(signer.root_public))
            self._repair(bits)
        except BaseException:
            os.close(self._lock)
            raise

    def append(self, records: Sequence[bytes]) -> list[int]:
        """Append `records` in order and return their indexes; they are durable then.

        One flush per batch, and one more for each segment that the batch fills.

        Raises:
            ConfigError: a record is too large; nothing was appended.
            ConnectError: the disk refused; nothing was appended.
        """
        frames = [frame(record) for record in records]
        with self._mutex:
            if self._failed:
                raise ConnectError(f"the ledger stopped: {self._failed}", hint="open it again")
            start = self.size
            parts = self._parts(frames)
            self._write(parts)
            self._take(parts, records)
            return list(range(start, self.size))

    def head(self) -> SignedHead:
        """Sign what the log holds now, keep the head beside it and return it.

        Raises:
            ConnectError: the head cannot be written.
        """
        with self._mutex:
            head = SignedHead.sign(
                self._signer, self.origin, self.size, self.root(), self._clock.now()
            )
            write_private(self.directory / HEAD_FILE, head.envelope)
            self._last_head = head
            return head

    def close(self) -> None:
        """Sign the last head and let another writer in; closing twice does nothing."""
        with self._mutex:
            if self._lock < 0:
                return
            try:
                if self._last_head.size < self.size and not self._failed:
                    self.head()
            except KeepwallError as error:
                _LOG.warning("the last head of %s was not signed: %s", self.origin, error)
            finally:
                os.close(self._lock)
                self._lock = -1
                self._failed = "it is closed"

    def record(self, index: int) -> bytes:
        """Return record `index`; see `LedgerLog.record`."""
        with self._mutex:
            return super().record(index)

    def root(self, size: int | None = None) -> bytes:
        """Return a root; see `LedgerLog.root`."""
        with self._mutex:
            return super().root(size)

    def inclusion(self, index: int, size: int) -> list[bytes]:
        """Return a proof; see `LedgerLog.inclusion`."""
        with self._mutex:
            return super().inclusion(index, size)

    def consistency(self, old: int, new: int) -> list[bytes]:
        """Return a proof; see `LedgerLog.consistency`."""
        with self._mutex:
            return super().consistency(old, new)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _repair(self, bits: int) -> None:
        """Cut the torn tail, and finish a creation that was interrupted."""
        active = self._active
        with active.path.open("r+b") as file:
            if active.torn:
                _LOG.warning(
                    "cut %d bytes of an unfinished write behind record %d of the ledger %s",
                    active.torn,
                    self.size - 1,
                    self.origin,
                )
            file.truncate(active.end)
            if not active.end:
                self.bits = bits if not active.first else self.bits
                file.write(file_header(active.first, self.bits))
            file.flush()
            os.fsync(file.fileno())
        if not active.end:
            self._active = load(active.path, active.first, self.bits)
        active.torn = 0

    def _parts(self, frames: Sequence[bytes]) -> list[_Part]:
        """Divide a batch among the newest segment and those that follow it."""
        active = self._active
        parts = []
        first, start, room = active.first, active.end, active.capacity - active.count
        header = b""
        taken = 0
        while taken < len(frames):
            if room:
                chunk = tuple(frames[taken : taken + room])
                parts.append(
                    _Part(self.directory / segment_name(first), first, start, chunk, header)
                )
                taken += len(chunk)
            first, room = first + active.capacity, active.capacity
            header = file_header(first, self.bits)
            start = len(header)
        return parts

    def _write(self, parts: Sequence[_Part]) -> None:
        """Make `parts` durable, or take back what was written of them."""
        done: list[_Part] = []
        try:
            for part in parts:
                descriptor = _opened(part)
                done.append(part)
                _fill(descriptor, part)
        except OSError as error:
            try:
                self._take_back(done)
            except OSError as second:
                self._failed = f"a failed write could not be taken back: {second.strerror}"
            if error.errno not in _FULL:
                self._failed = f"a write failed: {error.strerror}"
            raise ConnectError(
                f"the ledger {self.origin} cannot be written: {error.strerror}",
                hint="nothing of this batch was recorded; free space, then try again",
            ) from error

    def _take_back(self, parts: Sequence[_Part]) -> None:
        for part in reversed(parts):
            if part.header:
                part.path.unlink(missing_ok=True)
                sync_directory(self.directory)
            else:
                with part.path.open("r+b") as file:
                    file.truncate(part.start)
                    os.fsync(file.fileno())

    def _take(self, parts: Sequence[_Part], records: Sequence[bytes]) -> None:
        """Bring hashes and offsets in line with what was written."""
        remaining = iter(records)
        for part in parts:
            if part.header:
                self._seal()
                self._active = Segment(part.path, part.first, self.bits)
            offset = part.start
            for each in part.frames:
                end = offset + len(each)
                self._active.add(next(remaining), offset, end)
                offset = end

    def _seal(self) -> None:
        full = self._active
        self._full.append(full.root)
        try:
            full.write_index()
        except ConnectError as error:
            _LOG.warning("no index for %s, it will be read whole: %s", full.path.name, error)


def _opened(part: _Part) -> int:
    flags = os.O_WRONLY | (os.O_CREAT | os.O_EXCL if part.header else 0)
    return os.open(part.path, flags, 0o600)


def _fill(descriptor: int, part: _Part) -> None:
    """Write a part, make it and its name durable, and close the file."""
    try:
        data = memoryview(part.header + b"".join(part.frames))
        at = part.start - len(part.header)
        while data:
            written = os.pwrite(descriptor, data, at)
            data, at = data[written:], at + written
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if part.header:
        sync_directory(part.path.parent)


def _locked(directory: Path) -> int:
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise ConfigError(
            f"another process writes the ledger {directory}", hint="a ledger has one writer"
        ) from None
    return descriptor
