"""What changed between two scans of one target: asset by asset, finding by finding.

`differences_of_assets` and `differences_of_findings` are pure; `Changes` reads what was recorded
with them. Lines that moved are no change, as they are none for a fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, func, select

from keepwall.foundation.store.codec import decode, key
from keepwall.foundation.store.database import Database
from keepwall.foundation.store.paging import bounded
from keepwall.foundation.store.schema import changes as table
from keepwall.foundation.store.schema import scans
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.finding import Finding

MOST = 5_000
"""Changes of one scan that are recorded one by one; the rest is counted in one last entry."""
DETAILS = 12
_SHOWN = 160


class Difference(StrEnum):
    """What became of a thing; ``more`` stands for those beyond `MOST`."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    CHANGED = "changed"
    MORE = "more"


class About(StrEnum):
    """What a change is about."""

    ASSET = "asset"
    FINDING = "finding"


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that a scan showed otherwise than the scan before it; `at` is when that ended.

    `details` says what is different about a thing that changed, a line each.
    """

    about: About
    id: str
    title: str
    difference: Difference
    at: datetime
    scan: str
    details: tuple[str, ...] = ()
    word: str = ""
    """The kind of an asset, the severity of a finding."""


def differences_of_assets(
    before: Mapping[str, Asset], after: Mapping[str, Asset], at: datetime, scan: str
) -> Iterator[Change]:
    """Yield how `after` (assets by id) differs from `before`, in the order of the ids."""
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        one = new or old
        if one is None:
            continue
        details = _asset_details(old, new) if old and new else ()
        if difference := _difference(old, new, details):
            yield Change(About.ASSET, name, one.name, difference, at, scan, details, one.kind)


def differences_of_findings(
    before: Mapping[str, Finding], after: Mapping[str, Finding], at: datetime, scan: str
) -> Iterator[Change]:
    """Yield how `after` (findings by fingerprint) differs from `before`, worst first."""
    union = {**before, **after}
    for name in sorted(union, key=lambda each: (-union[each].severity.rank, each)):
        old, new, one = before.get(name), after.get(name), union[name]
        details = _finding_details(old, new) if old and new else ()
        if difference := _difference(old, new, details):
            yield Change(
                About.FINDING, name, one.title, difference, at, scan, details, one.severity
            )


def _difference(old: object, new: object, details: tuple[str, ...]) -> Difference | None:
    if old is None:
        return Difference.APPEARED
    if new is None:
        return Difference.VANISHED
    return Difference.CHANGED if details else None


def _asset_details(old: Asset, new: Asset) -> tuple[str, ...]:
    pairs = [
        (name, getattr(old, name), getattr(new, name))
        for name in ("name", "surface", "owner", "zone")
    ]
    pairs += [
        (name, old.attributes.get(name, ""), new.attributes.get(name, ""))
        for name in sorted(old.attributes.keys() | new.attributes.keys())
    ]
    found = [_turn(name, one, other) for name, one, other in pairs if one != other]
    places = {each.path for each in old.locations}, {each.path for each in new.locations}
    found += [f"now also in {_short(path)}" for path in sorted(places[1] - places[0])]
    found += [f"no longer in {_short(path)}" for path in sorted(places[0] - places[1])]
    return _few(found)


def _finding_details(old: Finding, new: Finding) -> tuple[str, ...]:
    names = ("severity", "title", "message")
    pairs = ((name, getattr(old, name), getattr(new, name)) for name in names)
    return _few([_turn(name, one, other) for name, one, other in pairs if one != other])


def _turn(name: str, old: str, new: str) -> str:
    return f"{_short(name)}: {_short(old) or 'none'} → {_short(new) or 'none'}"


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"


def _few(found: list[str]) -> tuple[str, ...]:
    more = len(found) - DETAILS
    return tuple(found if more <= 0 else [*found[:DETAILS], f"and {more} more differences"])


class Changes:
    """What scans recorded as changed; the first scan of a target has nothing to differ from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of_scan(self, scan_id: str) -> list[Change]:
        """Return what the scan showed otherwise than the one before it."""
        query = select(table.c.body).where(table.c.scan == key(scan_id))
        return self._changes(query.order_by(table.c.sequence))

    def between(self, older: str, newer: str) -> list[Change]:
        """Return every change after the scan `older` up to the scan `newer`, oldest first.

        Both are ids of scans of one target; of others, or in the wrong order, there is nothing.
        """
        first, last = scans.alias("first"), scans.alias("last")
        ours = scans.alias("ours")
        query = (
            select(table.c.body)
            .join(ours, ours.c.key == table.c.scan)
            .join(last, (last.c.origin == ours.c.origin) & (ours.c.sequence <= last.c.sequence))
            .join(first, (first.c.origin == ours.c.origin) & (ours.c.sequence > first.c.sequence))
            .where(first.c.key == key(older), last.c.key == key(newer))
            .order_by(table.c.sequence)
        )
        return self._changes(query)

    def about(self, name: str, limit: int = 50) -> list[Change]:
        """Return what happened to an asset (by id) or a finding (by fingerprint), newest first."""
        query = select(table.c.body).where(table.c.about == key(name))
        return self._changes(query.order_by(table.c.sequence.desc()).limit(bounded(limit)))

    def counts(self, scan_ids: Iterable[str]) -> dict[str, int]:
        """Return how many changes each of these scans recorded."""
        names = {key(each): each for each in scan_ids}
        query = select(table.c.scan, func.count().label("total")).group_by(table.c.scan)
        with self._database.read() as connection:
            rows = connection.execute(query.where(table.c.scan.in_(names))).all()
        return {names[row.scan]: row.total for row in rows}

    def _changes(self, query: Select[Any]) -> list[Change]:
        with self._database.read() as connection:
            bodies = connection.execute(query).scalars().all()
        return [decode(body, Change) for body in bodies]
