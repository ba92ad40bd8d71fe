"""Signed documents by bucket and key, whose generation only rises (DESIGN section 6)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Select, select

from keepwall.foundation.store.codec import key as digest
from keepwall.foundation.store.codec import plain
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.schema import documents as table
from keepwall.vocabulary.errors import IntegrityError

_GENERATIONS = range(2**63)


class Documents:
    """The newest generation of each document, as the bytes that were signed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, bucket: str, key: str, generation: int, body: bytes) -> None:
        """Store a document; the same generation with the same body again changes nothing.

        Raises:
            IntegrityError: a higher generation is stored, or this one with another body.
        """
        if generation not in _GENERATIONS:
            raise IntegrityError(f"{bucket}/{key}: no document has generation {generation}")
        row = {"bucket": plain(bucket), "key": digest(key), "name": plain(key)}
        insert = self._database.insert(table).values(**row, generation=generation, body=body)
        newer = {name: insert.excluded[name] for name in ("generation", "body")}
        upsert = insert.on_conflict_do_update(index_elements=["bucket", "key"], set_=newer)
        with self._database.write("documents") as connection:
            stored = connection.execute(self._one(bucket, key)).one_or_none()
            if stored is not None and generation < stored.generation:
                raise IntegrityError(
                    f"{bucket}/{key}: generation {generation} is older than the stored "
                    f"{stored.generation}",
                    hint="a rollback is a new generation with the old content",
                )
            if stored is not None and generation == stored.generation:
                if stored.body != body:
                    raise IntegrityError(
                        f"{bucket}/{key}: generation {generation} is stored with another content"
                    )
                return
            connection.execute(upsert)

    def get(self, bucket: str, key: str) -> tuple[int, bytes] | None:
        """Return generation and bytes of a document, or None."""
        with self._database.read() as connection:
            row = connection.execute(self._one(bucket, key)).one_or_none()
        return None if row is None else (row.generation, row.body)

    def list(self, bucket: str) -> list[tuple[str, int, bytes]]:
        """Return key, generation and bytes of every document of a bucket, by key."""
        query = select(table.c.name, table.c.generation, table.c.body)
        query = query.where(table.c.bucket == plain(bucket)).order_by(table.c.name, table.c.key)
        with self._database.read() as connection:
            return [(row.name, row.generation, row.body) for row in connection.execute(query)]

    @staticmethod
    def _one(bucket: str, key: str) -> Select[Any]:
        same = (table.c.bucket == plain(bucket)) & (table.c.key == digest(key))
        return select(table.c.generation, table.c.body).where(same)
