"""Scans: recording a result as one step, and what is known of the scans themselves."""

from __future__ import annotations

import builtins

from sqlalchemy import delete, func, insert, select

from keepwall.foundation.store.codec import decode, encode, key
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.paging import bounded
from keepwall.foundation.store.record_assets import record_assets, record_relations
from keepwall.foundation.store.record_changes import forget_changes, record_changes
from keepwall.foundation.store.record_findings import record_findings
from keepwall.foundation.store.schema import scans as table
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.scan import ScanInfo, ScanResult

HISTORY = 100
"""Scans that are remembered per target."""


class Scans:
    """What was scanned and when."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, result: ScanResult) -> None:
        """Store a result in one transaction; it replaces what its target showed before.

        Recording the same scan again changes nothing. An asset that several targets show stays
        one asset with the locations of all of them; what no target shows any longer is marked as
        gone, or as resolved.

        Raises:
            IntegrityError: the id of the scan belongs to a scan of another target.
        """
        scan = result.scan
        origin = key(scan.target)
        row = {
            "key": key(scan.id),
            "origin": origin,
            "body": encode(scan),
            "unread": encode(result.unread),
        }
        with self._database.write("scans") as connection:
            record_changes(connection, origin, result)
            connection.execute(
                delete(table).where(table.c.key == row["key"], table.c.origin == origin)
            )
            connection.execute(insert(table).values(**row))
            record_assets(self._database, connection, origin, scan.finished_at, result.assets)
            record_relations(connection, origin, result.relations)
            record_findings(self._database, connection, origin, scan.finished_at, result.findings)
            expired = select(table.c.sequence).where(table.c.origin == origin)
            expired = expired.order_by(table.c.sequence.desc()).offset(HISTORY).limit(1)
            if (last := connection.execute(expired).scalar()) is not None:
                connection.execute(
                    delete(table).where(table.c.origin == origin, table.c.sequence <= last)
                )
                forget_changes(connection, origin)

    def latest(self, target: str) -> ScanInfo | None:
        """Return the scan of `target` that was recorded last, or None."""
        query = select(table.c.body).where(table.c.origin == key(target))
        with self._database.read() as connection:
            body = connection.execute(query.order_by(table.c.sequence.desc()).limit(1)).scalar()
        return None if body is None else decode(body, ScanInfo)

    def get(self, scan_id: str) -> ScanInfo | None:
        """Return a scan by its id, or None where it is not remembered."""
        query = select(table.c.body).where(table.c.key == key(scan_id))
        with self._database.read() as connection:
            body = connection.execute(query).scalar()
        return None if body is None else decode(body, ScanInfo)

    def of_target(self, target: str, limit: int = HISTORY) -> builtins.list[ScanInfo]:
        """Return the scans of one target, the one recorded last first."""
        query = select(table.c.body).where(table.c.origin == key(target))
        query = query.order_by(table.c.sequence.desc()).limit(bounded(limit))
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return [decode(body, ScanInfo) for body in bodies]

    def targets(self) -> builtins.list[ScanInfo]:
        """Return the latest scan of each target, by the name of the target."""
        newest = select(func.max(table.c.sequence)).group_by(table.c.origin)
        query = select(table.c.body).where(table.c.sequence.in_(newest))
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return sorted((decode(body, ScanInfo) for body in bodies), key=lambda each: each.target)

    def unread(self, scan_id: str) -> list[Unread]:
        """Return what a scan could not read; nothing for a scan that is not remembered."""
        query = select(table.c.unread).where(table.c.key == key(scan_id))
        with self._database.read() as connection:
            body = connection.execute(query).scalar()
        return [] if body is None else decode(body, list[Unread])

    def list(self, limit: int = 50) -> list[ScanInfo]:
        """Return scans of all targets, the one recorded last first."""
        query = select(table.c.body).order_by(table.c.sequence.desc()).limit(bounded(limit))
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return [decode(body, ScanInfo) for body in bodies]
