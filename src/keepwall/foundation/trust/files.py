"""Files that others must not read and that a crash must not tear."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keepwall.vocabulary.errors import ConfigError, ConnectError


def private_directory(path: Path) -> None:
    """Create `path` (and its parents) so that only this user can enter it.

    Raises:
        ConfigError: it cannot be created or is not a directory.
    """
    try:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.chmod(0o700)
    except OSError as error:
        raise ConfigError(f"the directory {path} cannot be made: {error.strerror}") from error


def write_private(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, mode 0600: after a crash either all of it is there or nothing.

    Raises:
        ConnectError: the file system refused; the old file is untouched.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(8).hex()}")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(descriptor)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_directory(path.parent)
    except OSError as error:
        raise ConnectError(f"{path} cannot be written: {error.strerror}") from error


def sync_directory(path: Path) -> None:
    """Make names that were created in, renamed in or removed from `path` durable."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_private(path: Path, limit: int = 1024 * 1024) -> bytes:
    """Return the content of a file that holds a secret.

    Raises:
        ConfigError: it is missing, over `limit` bytes, or open to other users.
    """
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & 0o077:
                raise ConfigError(f"{path} can be reached by other users", hint=f"chmod 600 {path}")
            data = file.read(limit + 1)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    if len(data) > limit:
        raise ConfigError(f"{path} is over {limit} bytes")
    return data


@contextmanager
def exclusive(path: Path) -> Iterator[None]:
    """Hold the lock file `path` against other threads and processes.

    Raises:
        ConfigError: the lock file cannot be opened.
    """
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigError(f"{path} cannot be opened: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
