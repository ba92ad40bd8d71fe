"""Bringing a database to the schema of this program: Alembic, from files inside this package.

Alembic's global proxies (`alembic.op`, `alembic.context`) are not used: a migration is given its
operations as an argument, so that two threads may open two stores.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, inspect, text

from keepwall.foundation.store.database import Database
from keepwall.foundation.store.schema import HEAD
from keepwall.vocabulary.errors import ConfigError

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory

_TABLE = "alembic_version"
_FOLDER = Path(__file__).parent / "migrations"


def bring_to_head(database: Database) -> None:
    """Run the migrations that are missing, all in one transaction.

    Raises:
        ConfigError: a newer program wrote this database, or other tables are in it.
    """
    with database.read() as connection:
        if _revision(connection) == HEAD:
            return
    with database.write("schema") as connection:
        # Look again: another process may have migrated while this one waited for the lock.
        if (current := _revision(connection)) != HEAD:
            _upgrade(connection, current, database.place)


def scripts() -> ScriptDirectory:
    """Return the migrations as Alembic sees them."""
    # Late: Alembic takes longer to import than an up-to-date database takes to open.
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    return ScriptDirectory(str(_FOLDER), version_locations=[str(_FOLDER / "versions")])


def _revision(connection: Connection) -> str | None:
    """Return the revision that the database says it has, or None for an empty one."""
    if not inspect(connection).has_table(_TABLE):
        return None
    return connection.execute(text(f"SELECT version_num FROM {_TABLE}")).scalar()  # noqa: S608 - a constant


def _upgrade(connection: Connection, current: str | None, place: str) -> None:
    from alembic.migration import MigrationContext  # noqa: PLC0415 - late, as in `scripts`
    from alembic.operations import Operations  # noqa: PLC0415

    script = scripts()
    known = {each.revision for each in script.walk_revisions()}
    if current is not None and current not in known:
        raise ConfigError(
            f"the database {place} has schema {current}, which is newer than this program knows",
            hint="upgrade Keepwall, or open a copy from before the upgrade",
        )

    def steps(revision: Any, _context: Any) -> Any:
        return script._upgrade_revs(HEAD, revision)  # noqa: SLF001 - what `alembic upgrade` calls

    context = MigrationContext.configure(connection, opts={"fn": steps})
    context.run_migrations(op=Operations(context))
