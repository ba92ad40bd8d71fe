"""Open and read files of a hostile tree: no links followed, nothing that blocks, bounded."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from keepwall.vocabulary.errors import FormatError

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
"""How a folder below the root is opened; only the root itself may be reached through a link."""
_CHUNK = 1 << 20
_REASONS = {
    errno.ELOOP: "became a symbolic link while it was read",
    errno.ENOENT: "vanished while it was read",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.ENXIO: "not a regular file",
}


class UnreadableError(Exception):
    """A file cannot be read; the message is the reason that `Unread` carries."""


@dataclass(frozen=True, slots=True)
class OpenFile:
    """An open regular file, read at offsets; an implementation of `BytesAt`."""

    descriptor: int
    size: int

    def read_at(self, offset: int, length: int) -> bytes:
        """Return up to `length` bytes from `offset`.

        Raises:
            FormatError: the file cannot be read there.
        """
        if offset < 0 or offset >= self.size:
            return b""
        try:
            return os.pread(self.descriptor, min(length, self.size - offset), offset)
        except (OSError, OverflowError) as error:
            raise FormatError(f"cannot be read: {error}") from error

    def stream(self, limit: int) -> bytes:
        """Return up to `limit` bytes of a file whose size is not known before, as those of /proc.

        Raises:
            FormatError: the file cannot be read.
        """
        pieces: list[bytes] = []
        total = 0
        try:
            while total < limit and (piece := os.read(self.descriptor, min(_CHUNK, limit - total))):
                pieces.append(piece)
                total += len(piece)
        except OSError as error:
            raise FormatError(f"cannot be read: {error.strerror}") from error
        return b"".join(pieces)

    def digest(self, limit: int) -> tuple[str, bool]:
        """Return a key for the content, and whether it covers all of it.

        Up to `limit` bytes this is ``sha256:<hex>`` of the content; beyond, ``partial:<hex>`` of
        the size with the first and last MiB.
        """
        if self.size > limit:
            ends = self.read_at(0, _CHUNK) + self.read_at(self.size - _CHUNK, _CHUNK)
            return f"partial:{hashlib.sha256(str(self.size).encode() + ends).hexdigest()}", False
        digest = hashlib.sha256()
        offset = 0
        while offset < self.size:
            chunk = self.read_at(offset, _CHUNK)
            if not chunk:
                break
            digest.update(chunk)
            offset += len(chunk)
        return f"sha256:{digest.hexdigest()}", True


@contextmanager
def opened(name: str, directory: int | None = None) -> Iterator[OpenFile]:
    """Open `name` (in the directory descriptor) as a regular file.

    Raises:
        UnreadableError: it is not a regular file, or cannot be opened.
    """
    try:
        descriptor = os.open(name, _FLAGS, dir_fd=directory)
    except OSError as error:
        raise UnreadableError(os_reason(error)) from error
    except ValueError as error:
        raise UnreadableError(str(error)) from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("not a regular file")
        yield OpenFile(descriptor, status.st_size)
    finally:
        os.close(descriptor)


def open_folder(root: int, path: str) -> int:
    """Return a descriptor of the folder `path` below the descriptor `root`; no link is followed.

    Raises:
        UnreadableError: it is gone, no folder, or not below the root.
    """
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise UnreadableError("outside of the tree")
    descriptor = os.dup(root)
    try:
        for part in parts:
            inner = os.open(part, FOLDER, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = inner
    except OSError as error:
        os.close(descriptor)
        raise UnreadableError(os_reason(error)) from error
    except ValueError as error:  # a NUL in the name
        os.close(descriptor)
        raise UnreadableError(str(error)) from error
    return descriptor


def os_reason(error: OSError) -> str:
    """Return why the system refused, in words for a person."""
    known = _REASONS.get(error.errno or 0)
    return known or (error.strerror or "cannot be read").lower()


def shown_path(path: str) -> str:
    r"""Return a path as text that can be encoded: undecodable bytes become ``\xNN``."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
