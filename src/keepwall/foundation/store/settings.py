"""Settings that were changed at run time."""

from __future__ import annotations

from sqlalchemy import delete, select

from keepwall.foundation.store.codec import decode, encode, plain
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.schema import settings as table


class Settings:
    """Names and values, both text."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> str | None:
        """Return the value of a setting, or None where it was never set."""
        query = select(table.c.body).where(table.c.name == plain(name))
        with self._database.read() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else decode(body, str)

    def set(self, name: str, value: str) -> None:
        """Store the value of a setting, over the one before."""
        insert = self._database.insert(table).values(name=plain(name), body=encode(value))
        upsert = insert.on_conflict_do_update(
            index_elements=["name"], set_={"body": insert.excluded.body}
        )
        with self._database.write("settings") as connection:
            connection.execute(upsert)

    def delete(self, name: str) -> None:
        """Forget a setting; one that was never set is no error."""
        with self._database.write("settings") as connection:
            connection.execute(delete(table).where(table.c.name == plain(name)))
