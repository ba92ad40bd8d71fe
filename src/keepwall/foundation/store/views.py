"""Saved views: addresses of filtered screens, by user and name."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import delete, func, select

from keepwall.foundation.store.codec import decode, encode, key
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.schema import views as table
from keepwall.vocabulary.errors import ConfigError

MOST = 50
"""Views that one user may keep."""


@dataclass(frozen=True, slots=True, order=True)
class View:
    """A named address of this console: a path with its query."""

    name: str
    address: str


class Views:
    """The saved views of each user."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(self, user: str, view: View) -> None:
        """Keep a view, over one of the same name.

        Raises:
            ConfigError: the user keeps as many as there may be.
        """
        row = {"user": key(user), "key": key(view.name), "body": encode(view)}
        upsert = self._database.insert(table).values(**row)
        upsert = upsert.on_conflict_do_update(
            index_elements=["user", "key"], set_={"body": upsert.excluded.body}
        )
        others = select(func.count()).where(table.c.user == row["user"], table.c.key != row["key"])
        with self._database.write("views") as connection:
            if connection.execute(others).scalar_one() >= MOST:
                raise ConfigError(f"{MOST} views are saved already", hint="delete one first")
            connection.execute(upsert)

    def list(self, user: str) -> list[View]:
        """Return the views of a user, by name."""
        query = select(table.c.body).where(table.c.user == key(user))
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return sorted(decode(body, View) for body in bodies)

    def delete(self, user: str, name: str) -> None:
        """Forget a view; one that is not there is no error."""
        with self._database.write("views") as connection:
            connection.execute(
                delete(table).where(table.c.user == key(user), table.c.key == key(name))
            )
