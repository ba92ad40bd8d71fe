"""Read and replace a file below a directory that others wrote: no link is followed on the way."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath

from keepwall.vocabulary.errors import IntegrityError

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


def read_in_tree(root: Path, path: str, limit: int) -> bytes:
    """Return the content of the regular file `path` below `root`.

    Raises:
        IntegrityError: there is no such file, a link leads to it, or it is larger than `limit`.
    """
    with _folder(root, path) as folder:
        data, _ = _content(folder, PurePosixPath(path).name, limit + 1)
    if len(data) > limit:
        raise IntegrityError(f"it has more than {limit} bytes")
    return data


def replace_in_tree(root: Path, path: str, before: bytes, after: bytes) -> None:
    """Put `after` in place of `before` in `path` below `root`, all at once; its mode is kept.

    Raises:
        IntegrityError: it no longer holds `before`, has a second name, a link leads to it, or it
            cannot be written; what stood there is then left as it was.
    """
    name = PurePosixPath(path).name
    with _folder(root, path) as folder:
        content, status = _content(folder, name, len(before) + 1)
        if content != before:
            raise IntegrityError("it has changed since it was scanned")
        if status.st_nlink > 1:
            raise IntegrityError("it has a second name (a hard link)")
        temporary = f".{name[:100]}.{secrets.token_hex(8)}"
        try:
            _write(folder, temporary, after, status)
            os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)
        except OSError as error:
            with suppress(OSError):
                os.unlink(temporary, dir_fd=folder)
            raise IntegrityError(f"it cannot be written: {error.strerror}") from error


def _write(folder: int, name: str, data: bytes, like: os.stat_result) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(name, flags, 0o600, dir_fd=folder)
    with os.fdopen(descriptor, "wb") as target:
        target.write(data)
        target.flush()
        if (like.st_uid, like.st_gid) != (os.geteuid(), os.getegid()):
            os.fchown(target.fileno(), like.st_uid, like.st_gid)
        os.fchmod(target.fileno(), stat.S_IMODE(like.st_mode))
        os.fsync(target.fileno())


def _content(folder: int, name: str, limit: int) -> tuple[bytes, os.stat_result]:
    """Return up to `limit` bytes of a file, and what it is."""
    try:
        descriptor = os.open(name, _FILE, dir_fd=folder)
    except (OSError, ValueError) as error:
        raise IntegrityError("it is gone, or became a link") from error
    with os.fdopen(descriptor, "rb") as source:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise IntegrityError("it is not a regular file")
        return source.read(limit), status


@contextmanager
def _folder(root: Path, path: str) -> Iterator[int]:
    """Yield the directory that holds `path`, reached from `root` without following a link."""
    parts = PurePosixPath(path).parts
    if not parts or ".." in parts or path.startswith("/") or "\0" in path:
        raise IntegrityError("it does not lie in the tree")
    opened: list[int] = []
    try:
        _open_folders(root, parts[:-1], opened)
        yield opened[-1]
    finally:
        for descriptor in opened:
            os.close(descriptor)


def _open_folders(root: Path, parts: tuple[str, ...], opened: list[int]) -> None:
    try:
        opened.append(os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        for part in parts:
            opened.append(os.open(part, _FOLDER, dir_fd=opened[-1]))
    except OSError as error:
        raise IntegrityError("a directory on the way is gone, or became a link") from error
