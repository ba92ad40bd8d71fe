"""SQLite: one private file, crash consistent, many readers beside one writer.

WAL with ``synchronous=NORMAL`` (https://sqlite.org/pragma.html#pragma_synchronous): a killed
process loses nothing that it committed, because the kernel already has it; a power cut may undo
the last commits as a whole but never leaves half of one, because a checkpoint syncs the log
before it touches the database. What must survive a power cut is in the ledger, not here.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import URL

from keepwall.vocabulary.errors import ConfigError

BUSY_SECONDS = 30
"""How long a writer waits for the one before it."""
_WAL_BYTES = 64 * 1024 * 1024
WRITES = "keepwall_writes"
"""Execution option of a connection that will write: it takes the lock when it begins."""


def sqlite_engine(url: URL) -> Engine:
    """Return an engine on the file that `url` names, which is made private to this user.

    Raises:
        ConfigError: `url` names no file, or the file cannot be made.
    """
    name = url.database or ""
    if name in ("", ":memory:") or name.startswith("file:") or url.query:
        raise ConfigError(
            "the store needs a file of its own",
            hint="write the URL as sqlite:////absolute/path/keepwall.db",
        )
    path = Path(name)
    _create_private(path)
    engine = create_engine(
        url,
        hide_parameters=True,
        connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "connect", partial(_keep_private, path))
    event.listen(engine, "begin", _begin)
    return engine


def _create_private(path: Path) -> None:
    """Create the file with mode 0600 where it is missing; the log files beside it inherit that.

    Never through a descriptor where it exists: closing one drops the locks that SQLite holds on
    the file elsewhere in this process (https://sqlite.org/howtocorrupt.html, section 2.2).
    """
    try:
        if sys.platform == "linux":
            os.mknod(path, stat.S_IFREG | 0o600)
        else:
            path.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return
    except OSError as error:
        raise ConfigError(
            f"the database {path} cannot be made: {error.strerror}",
            hint="choose a directory that exists and that you may write",
        ) from error


def _keep_private(path: Path, _connection: sqlite3.Connection, _record: Any) -> None:
    """Take the rights of others away, now that SQLite has found a database in the file."""
    for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
        try:
            if stat.S_IMODE(each.stat().st_mode) & 0o077:
                each.chmod(0o600)
        except FileNotFoundError:
            continue
        except OSError as error:
            raise ConfigError(
                f"{each} is open to others and cannot be made private: {error.strerror}",
                hint="chmod 600, as its owner",
            ) from error


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    """Set what holds for one connection; transactions are begun by `_begin` alone."""
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute(f"PRAGMA journal_size_limit={_WAL_BYTES}")
    _use_wal(connection)


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch the file to WAL; SQLite does not wait for others at this one step, so wait here."""
    ends = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            code = error.sqlite_errorcode & 0xFF
            if code != sqlite3.SQLITE_BUSY or time.monotonic() > ends:
                raise
            time.sleep(0.01)
        else:
            return


def _begin(connection: Connection) -> None:
    """Begin; a writer takes the lock at once, since a reader that turns writer can be refused."""
    writes = connection.get_execution_options().get(WRITES, False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
