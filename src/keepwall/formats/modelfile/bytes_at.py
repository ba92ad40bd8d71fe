"""Bytes that are read where they lie: the seam between model formats and files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


class BytesAt(Protocol):
    """Something of `size` bytes that can be read at any offset."""

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`; fewer at the end, none beyond it."""
        ...


@dataclass(frozen=True, slots=True)
class MemoryBytes:
    """Bytes in memory."""

    data: bytes

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`."""
        return self.data[offset : offset + length]


class Cursor:
    """Reads forward through `source` in windows, so that skipping costs nothing."""

    def __init__(self, source: BytesAt, window: int = 1 << 16) -> None:
        self._source = source
        self._window = window
        self._buffer = b""
        self._start = 0
        self.offset = 0

    def read(self, length: int) -> bytes:
        """Return `length` bytes and move on.

        Raises:
            EOFError: fewer are left.
        """
        inside = self.offset - self._start
        if not (inside >= 0 and inside + length <= len(self._buffer)):
            self._start, inside = self.offset, 0
            self._buffer = self._source.read_at(self.offset, max(length, self._window))
        piece = self._buffer[inside : inside + length]
        if len(piece) < length:
            raise EOFError
        self.offset += length
        return piece

    def skip(self, length: int) -> None:
        """Move `length` bytes on.

        Raises:
            EOFError: fewer are left.
        """
        if self.offset + length > self._source.size:
            raise EOFError
        self.offset += length

    def line(self, keep: int = 4096, limit: int = 64 << 20) -> bytes:
        """Return the first `keep` bytes up to the next newline, and move past it.

        Raises:
            EOFError: there is none within `limit` bytes.
        """
        start = end = self.offset
        while end - start < limit:
            data = self._source.read_at(end, 4096 if end == start else self._window)
            if not data:
                break
            index = data.find(b"\n")
            if index >= 0:
                self.offset = end + index + 1
                return self._source.read_at(start, min(keep, end + index - start))
            end += len(data)
        raise EOFError
