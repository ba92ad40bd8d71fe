"""Recording what a scan shows otherwise than the one before it, in the same transaction."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from sqlalchemy import Connection, delete, insert, select

from keepwall.foundation.store.changes import (
    MOST,
    About,
    Change,
    Difference,
    differences_of_assets,
    differences_of_findings,
)
from keepwall.foundation.store.codec import decode, encode, key
from keepwall.foundation.store.schema import changes as table
from keepwall.foundation.store.schema import (
    finding_sightings,
    findings,
    scans,
    sightings,
)
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.scan import ScanResult


def record_changes(connection: Connection, origin: str, result: ScanResult) -> None:
    """Record what `result` changes; call it before the result itself is recorded."""
    known = select(scans.c.sequence).where(scans.c.origin == origin).limit(1)
    if connection.execute(known).scalar() is None:
        return
    found = chain(_assets(connection, origin, result), _findings(connection, origin, result))
    rows = [
        {"origin": origin, "scan": key(each.scan), "about": key(each.id), "body": encode(each)}
        for each in _bounded(found, result)
    ]
    if rows:
        connection.execute(insert(table), rows)


def forget_changes(connection: Connection, origin: str) -> None:
    """Delete the changes of scans of `origin` that are no longer remembered."""
    kept = select(scans.c.key).where(scans.c.origin == origin)
    connection.execute(delete(table).where(table.c.origin == origin, table.c.scan.not_in(kept)))


def _assets(connection: Connection, origin: str, result: ScanResult) -> Iterator[Change]:
    query = select(sightings.c.asset, sightings.c.body).where(sightings.c.origin == origin)
    stored = {row.asset: row.body for row in connection.execute(query)}
    after: dict[str, Asset] = {}
    for asset in result.assets:
        after[asset.id] = after[asset.id].merged(asset) if asset.id in after else asset
    # Most are as they were, and equal texts need not be read.
    old: dict[str, Asset] = {}
    for name in list(after):
        body = stored.pop(key(name), "")
        if body and body == encode(after[name]):
            del after[name]
        elif body:
            old[name] = decode(body, Asset)
    old |= {each.id: each for body in stored.values() for each in [decode(body, Asset)]}
    return differences_of_assets(old, after, result.scan.finished_at, result.scan.id)


def _findings(connection: Connection, origin: str, result: ScanResult) -> Iterator[Change]:
    query = (
        select(findings.c.body)
        .join(finding_sightings, finding_sightings.c.finding == findings.c.key)
        .where(finding_sightings.c.origin == origin)
    )
    before = [decode(body, Finding) for body in connection.execute(query).scalars()]
    return differences_of_findings(
        {each.fingerprint: each for each in before},
        {each.fingerprint: each for each in result.findings},
        result.scan.finished_at,
        result.scan.id,
    )


def _bounded(found: Iterator[Change], result: ScanResult) -> Iterator[Change]:
    yield from islice(found, MOST)
    if rest := sum(1 for _ in found):
        title = f"{rest} more changes"
        scan = result.scan
        yield Change(About.ASSET, "", title, Difference.MORE, scan.finished_at, scan.id)
