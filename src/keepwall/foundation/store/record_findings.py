"""What one target fails, beside what the other targets fail."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import Connection, delete, exists, insert, update

from keepwall.foundation.store.codec import encode, haystack, key, plain
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.schema import finding_sightings as sightings
from keepwall.foundation.store.schema import findings
from keepwall.foundation.store.seen import GONE_KEPT
from keepwall.vocabulary.finding import Finding


def record_findings(
    database: Database, connection: Connection, origin: str, at: datetime, failed: Iterable[Finding]
) -> None:
    """Replace the findings of `origin`; one that no target has any longer is resolved `at` then.

    A finding that returns is open again and keeps the time when it was first seen.
    """
    rows = {key(each.fingerprint): _row(each, at) for each in failed}
    connection.execute(delete(sightings).where(sightings.c.origin == origin))
    if rows:
        statement = database.insert(findings)
        newer = {
            column.name: column
            for column in statement.excluded
            if column.name not in ("key", "first_seen")
        }
        upsert = statement.on_conflict_do_update(index_elements=["key"], set_=newer)
        connection.execute(upsert, list(rows.values()))
        connection.execute(
            insert(sightings), [{"origin": origin, "finding": finding} for finding in rows]
        )
    unseen = ~exists().where(sightings.c.finding == findings.c.key)
    resolved = update(findings).where(findings.c.resolved_at.is_(None), unseen)
    connection.execute(resolved.values(resolved_at=at))
    connection.execute(delete(findings).where(findings.c.resolved_at < at - GONE_KEPT))


def _row(finding: Finding, at: datetime) -> dict[str, object]:
    return {
        "key": key(finding.fingerprint),
        "rank": finding.severity.rank,
        "surface": finding.surface.value,
        "rule": plain(finding.rule),
        "asset": key(finding.asset),
        "haystack": haystack(
            (
                finding.rule,
                finding.title,
                finding.fingerprint,
                finding.location.path,
                finding.asset,
                finding.message,
            )
        ),
        "first_seen": at,
        "last_seen": at,
        "resolved_at": None,
        "body": encode(finding),
        "exposure": finding.exposure,
    }
