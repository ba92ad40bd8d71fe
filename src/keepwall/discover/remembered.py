"""What an earlier scan of the same tree saw, file by file, so that only what changed is read.

A file counts as unchanged while its device, inode, size and both change times are the same. No
program can set a change time (`st_ctime`), so nobody hides a change; a file that changed within the
clock's own grain of being read is never remembered.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import platform
import sqlite3
import struct
import time
from collections.abc import Iterator
from dataclasses import astuple
from pathlib import Path

import keepwall
from keepwall.discover.limits import Limits

_GRAIN = 2_000_000_000
_MOST_BYTES = 1 << 30
_MARK = struct.Struct("=QQQqq")
_TABLES = """
create table if not exists about (epoch blob primary key);
create table if not exists seen (path blob primary key, mark blob, data blob) without rowid;
"""
_log = logging.getLogger(__name__)


def mark(status: os.stat_result) -> bytes:
    """Return what tells one state of a file from another."""
    times = status.st_mtime_ns, status.st_ctime_ns
    return _MARK.pack(status.st_dev, status.st_ino, status.st_size, *times)


def settled(mark: bytes) -> bool:
    """Return whether the state is older than the grain of the clock, so a change would show."""
    changed: int = _MARK.unpack(mark)[4]
    return changed + _GRAIN < time.time_ns()


def epoch(limits: Limits, *about_the_tree: str) -> bytes:
    """Return a digest of all that decides what is seen in a file, but for the file itself."""
    digest = hashlib.blake2b(digest_size=16)
    package = Path(keepwall.__file__).parent
    for file in sorted(package.rglob("*.*")):
        if file.suffix != ".pyc":
            status = file.stat()
            digest.update(f"{file}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    words = (keepwall.__version__, platform.python_version(), *map(str, astuple(limits)))
    digest.update("\0".join((*words, *about_the_tree)).encode("utf-8", "surrogateescape"))
    return digest.digest()


class Remembered:
    """The memory of one tree: a small database that may be deleted at any time."""

    def __init__(self, file: Path, epoch: bytes) -> None:
        """Load what is remembered under `epoch`; another epoch, or a damaged file, is forgotten."""
        self._file = file
        self._known: dict[bytes, tuple[bytes, bytes]] = {}
        self._fresh: dict[bytes, tuple[bytes, bytes]] = {}
        self._kept: set[bytes] = set()
        self._epoch = epoch
        try:
            self._load()
        except (OSError, sqlite3.Error) as error:
            _log.debug("nothing is remembered: %s", error)

    def look(self, path: str, mark: bytes) -> bytes | None:
        """Return what was packed of the file in this very state, or None."""
        name = os.fsencode(path)
        known = self._known.get(name)
        if known is None or known[0] != mark:
            return None
        self._kept.add(name)
        return known[1]

    def note(self, path: str, mark: bytes, data: bytes) -> None:
        """Remember what was packed of a file whose settled state was `mark` before the read."""
        self._fresh[os.fsencode(path)] = (mark, data)

    def save(self) -> None:
        """Write what is new and forget what is gone; a failure costs only the next scan time."""
        gone = self._known.keys() - self._kept - self._fresh.keys()
        if not self._fresh and not gone:
            return
        try:
            with self._database() as database:
                rows = ((path, *each) for path, each in self._fresh.items())
                database.executemany("insert or replace into seen values (?, ?, ?)", rows)
                database.executemany("delete from seen where path = ?", ((path,) for path in gone))
        except (OSError, sqlite3.Error) as error:
            _log.info("the scan is not remembered: %s", error)

    def _load(self) -> None:
        if not self._file.is_file() or self._file.stat().st_size > _MOST_BYTES:
            self._file.unlink(missing_ok=True)
            return
        with self._database() as database:
            for path, state, data in database.execute("select path, mark, data from seen"):
                self._known[path] = (state, data)

    @contextlib.contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """Open the database in one transaction, empty where it is of another epoch."""
        self._file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        database = sqlite3.connect(self._file, timeout=1)
        try:
            with database:
                database.execute("pragma journal_mode = wal")
                database.execute("pragma synchronous = off")
                database.executescript(_TABLES)
                if database.execute("select epoch from about").fetchall() != [(self._epoch,)]:
                    database.execute("delete from about")
                    database.execute("delete from seen")
                    database.execute("insert into about values (?)", (self._epoch,))
                yield database
        except sqlite3.DatabaseError:
            database.close()
            self._file.unlink(missing_ok=True)
            raise
        finally:
            database.close()
