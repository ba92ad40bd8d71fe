"""Signed documents by bucket and key, whose generation only rises."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, delete, insert, select

from keepwall.foundation.clock import Clock, SystemClock
from keepwall.foundation.store.codec import key as digest
from keepwall.foundation.store.codec import plain
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.schema import document_history as history
from keepwall.foundation.store.schema import documents as table
from keepwall.vocabulary.errors import IntegrityError

KEPT = 50
"""Generations of one document that are kept, the newest among them."""
_GENERATIONS = range(2**63)


@dataclass(frozen=True, slots=True)
class Past:
    """One generation of a document; `at` is when it was stored, or None where nobody noted it."""

    generation: int
    at: datetime | None
    body: bytes


class Documents:
    """The newest generation of each document, as the bytes that were signed, and those before."""

    def __init__(self, database: Database, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    def put(self, bucket: str, key: str, generation: int, body: bytes) -> None:
        """Store a document; the same generation with the same body again changes nothing.

        Raises:
            IntegrityError: a higher generation is stored, or this one with another body.
        """
        if generation not in _GENERATIONS:
            raise IntegrityError(f"{bucket}/{key}: no document has generation {generation}")
        row = {"bucket": plain(bucket), "key": digest(key), "name": plain(key)}
        upsert = self._database.insert(table).values(**row, generation=generation, body=body)
        newer = {name: upsert.excluded[name] for name in ("generation", "body")}
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
            connection.execute(
                upsert.on_conflict_do_update(index_elements=["bucket", "key"], set_=newer)
            )
            self._remember(connection, bucket, key, generation, body)

    def get(self, bucket: str, key: str) -> tuple[int, bytes] | None:
        """Return generation and bytes of a document, or None."""
        with self._database.read() as connection:
            row = connection.execute(self._one(bucket, key)).one_or_none()
        return None if row is None else (row.generation, row.body)

    def history(self, bucket: str, key: str) -> list[Past]:
        """Return what is kept of a document, at most `KEPT` generations, the newest first."""
        query = select(history.c.generation, history.c.at, history.c.body)
        query = query.where(self._past(bucket, key)).order_by(history.c.generation.desc())
        with self._database.read() as connection:
            return [Past(row.generation, row.at, row.body) for row in connection.execute(query)]

    def list(self, bucket: str) -> list[tuple[str, int, bytes]]:
        """Return key, generation and bytes of every document of a bucket, by key."""
        query = select(table.c.name, table.c.generation, table.c.body)
        query = query.where(table.c.bucket == plain(bucket)).order_by(table.c.name, table.c.key)
        with self._database.read() as connection:
            return [(row.name, row.generation, row.body) for row in connection.execute(query)]

    def _remember(
        self, connection: Connection, bucket: str, key: str, generation: int, body: bytes
    ) -> None:
        row = {"bucket": plain(bucket), "key": digest(key), "generation": generation}
        connection.execute(insert(history).values(**row, at=self._clock.now(), body=body))
        same = self._past(bucket, key)
        kept = select(history.c.generation).where(same).order_by(history.c.generation.desc())
        oldest = connection.execute(kept.offset(KEPT - 1).limit(1)).scalar()
        if oldest is not None:
            connection.execute(delete(history).where(same & (history.c.generation < oldest)))

    @staticmethod
    def _past(bucket: str, key: str) -> Any:
        return (history.c.bucket == plain(bucket)) & (history.c.key == digest(key))

    @staticmethod
    def _one(bucket: str, key: str) -> Select[Any]:
        same = (table.c.bucket == plain(bucket)) & (table.c.key == digest(key))
        return select(table.c.generation, table.c.body).where(same)
