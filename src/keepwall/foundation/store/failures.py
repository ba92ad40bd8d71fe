"""What a database says when it cannot, in the words of Keepwall.

No text of a statement, no parameter and no password leaves this file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import exc

from keepwall.vocabulary.errors import ConfigError, ConnectError, IntegrityError, KeepwallError

_FULL = "is full; nothing of this change was stored"
_BUSY = "is held by another process for too long; nothing of this change was stored"
_DAMAGED = "is damaged, or is no database of Keepwall"
_FORBIDDEN = "may not be opened or written"


@contextmanager
def translated(place: str, secrets: Sequence[str] = ()) -> Iterator[None]:
    """Turn errors of the database at `place` into the KeepwallError family, without `secrets`.

    Raises:
        ConfigError: it may not be opened, or not by this account.
        ConnectError: it is out of reach, full or busy, or refuses the account.
        IntegrityError: it is damaged, or a record contradicts what is stored.
    """
    try:
        yield
    except exc.TimeoutError:
        raise ConnectError(f"the database {place} {_BUSY}") from None
    except exc.DBAPIError as error:
        # Without the cause: drivers quote values and connection strings in theirs.
        if isinstance(error.orig, sqlite3.Error):
            raise _explain_sqlite(place, error.orig) from None
        state = getattr(error.orig, "sqlstate", None) or ""
        if state or not isinstance(error, exc.OperationalError | exc.ProgrammingError):
            raise _explain_postgresql(place, state or type(error).__name__) from None
        raise _explain_connection(place, str(error.orig), secrets) from None
    except exc.StatementError as error:
        raise IntegrityError(f"a record does not fit the database {place}: {error.orig}") from None


def _explain_sqlite(place: str, cause: sqlite3.Error) -> KeepwallError:
    code = getattr(cause, "sqlite_errorcode", 0) & 0xFF  # the low byte is the primary code
    name = getattr(cause, "sqlite_errorname", type(cause).__name__)
    if code == sqlite3.SQLITE_FULL:
        return ConnectError(f"the disk of the database {place} {_FULL}", hint="free some space")
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ConnectError(f"the database {place} {_BUSY}", hint="try again")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return IntegrityError(f"the database {place} {_DAMAGED}", hint="restore a backup")
    if code in (
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_AUTH,
    ):
        return ConfigError(
            f"the database {place} {_FORBIDDEN} ({name})",
            hint="check the path, its owner and its mode",
        )
    if code == sqlite3.SQLITE_CONSTRAINT:
        return IntegrityError(f"a record contradicts what {place} holds ({name})")
    return ConnectError(
        f"the database {place} failed ({name}); nothing of this change was stored",
        hint="check the disk and its free space",
    )


def _explain_postgresql(place: str, state: str) -> KeepwallError:
    """Return the error for an SQLSTATE (PostgreSQL manual, appendix A)."""
    if state == "53100":
        return ConnectError(f"the disk of the database {place} {_FULL}", hint="free some space")
    if state in ("55P03", "57014", "40P01", "40001"):
        return ConnectError(f"the database {place} {_BUSY} ({state})", hint="try again")
    if state == "42501":
        return ConfigError(
            f"the database {place} {_FORBIDDEN} ({state})", hint="grant the account its schema"
        )
    if state.startswith("23"):
        return IntegrityError(f"a record contradicts what {place} holds ({state})")
    if state.startswith("XX"):
        return IntegrityError(f"the database {place} {_DAMAGED} ({state})", hint="restore a backup")
    return ConnectError(
        f"the database {place} failed ({state}); nothing of this change was stored",
        hint="look into the log of the server",
    )


def _explain_connection(place: str, reason: str, secrets: Sequence[str]) -> KeepwallError:
    """Return the error for a connection that failed; libpq gives no SQLSTATE, only a sentence."""
    sentence = next(iter(reason.splitlines()), "no reason given")
    for secret in secrets:
        sentence = sentence.replace(secret, "***")
    return ConnectError(
        f"the database {place} does not answer: {sentence}",
        hint="check that it runs, and that its address, name, account and password are right",
    )
