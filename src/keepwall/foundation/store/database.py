"""One database, and the two ways to use it: read a snapshot, or write as the only writer."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event, exc, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url

from keepwall.foundation.store.failures import translated
from keepwall.foundation.store.sqlite import BUSY_SECONDS, WRITES, sqlite_engine
from keepwall.vocabulary.errors import ConfigError

_CONNECT_SECONDS = 10
Insert = sqlite.Insert | postgresql.Insert


class Database:
    """An engine with the transactions that the store uses; safe to share between threads.

    A forked process opens its own.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.place = _place(engine.url)
        self._secrets = _secrets(engine.url)
        self._shared = engine.dialect.name == "postgresql"
        # One snapshot per transaction, as SQLite gives it.
        self._readers = (
            engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
            if self._shared
            else engine
        )
        self._writers = engine.execution_options(**{WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection that sees one consistent snapshot."""
        with translated(self.place, self._secrets), self._readers.begin() as connection:
            yield connection

    @contextmanager
    def write(self, domain: str) -> Iterator[Connection]:
        """Give a connection that alone writes to `domain` until it commits or rolls back.

        SQLite has one writer at a time for the whole file; PostgreSQL gets the same per domain by
        an advisory lock, so reading, deciding and writing in one transaction is safe on both.
        """
        with translated(self.place, self._secrets), self._writers.begin() as connection:
            if self._shared:
                number = zlib.crc32(f"keepwall:{domain}".encode())
                connection.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": number})
            yield connection

    def insert(self, table: Table) -> Insert:
        """Return an INSERT that knows ``ON CONFLICT``, in the dialect of this database."""
        return postgresql.insert(table) if self._shared else sqlite.insert(table)

    def close(self) -> None:
        """Close every idle connection."""
        self.engine.dispose()


def connect(url: str) -> Database:
    """Return the database at `url`, without talking to a server yet.

    Raises:
        ConfigError: the URL is of another kind of database, or the driver is missing.
    """
    try:
        parsed = make_url(url)
    except (exc.ArgumentError, ValueError):
        raise ConfigError("the URL of the store cannot be read", hint=_HINT) from None
    if parsed.drivername in ("sqlite", "sqlite+pysqlite"):
        return Database(sqlite_engine(parsed))
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return Database(_postgresql_engine(parsed.set(drivername="postgresql+psycopg")))
    raise ConfigError(f"no store speaks {parsed.drivername!r}", hint=_HINT)


_HINT = "use sqlite:///path or postgresql+psycopg://user@host/database"


def _postgresql_engine(url: URL) -> Engine:
    """Return an engine on a server; connections that died meanwhile are replaced."""
    if "@" in (url.host or ""):  # the rest of a password, which no message may repeat
        raise ConfigError(
            "the host in the URL of the store holds an @", hint="write an @ in a password as %40"
        )
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={"connect_timeout": _CONNECT_SECONDS},
        )
    except ModuleNotFoundError:
        raise ConfigError(
            "the driver for PostgreSQL is not installed",
            hint="pip install 'keepwall[postgresql]'",
        ) from None
    except (exc.ArgumentError, ValueError):
        raise ConfigError(f"the URL of the store {_place(url)} is wrong", hint=_HINT) from None
    event.listen(engine, "connect", _limit_waiting)
    return engine


def _limit_waiting(connection: Any, _record: Any) -> None:
    """Wait for locks as long as SQLite's writers do, and not forever."""
    with connection.cursor() as cursor:
        cursor.execute(f"SET lock_timeout = '{BUSY_SECONDS}s'")
    connection.commit()


def _place(url: URL) -> str:
    """Return where a database is, for messages: never the password, never the options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    port = f":{url.port}" if url.port else ""
    return f"{url.host or 'local socket'}{port}/{url.database or ''}"


def _secrets(url: URL) -> tuple[str, ...]:
    """Return what a driver's message must not carry on."""
    options = url.normalized_query.get("password", ())
    return tuple(each for each in (str(url.password or ""), *options) if each)
