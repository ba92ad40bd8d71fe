"""The result of a scan, as it is printed, stored and compared."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from keepwall.vocabulary.asset import Asset, Relation
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.finding import Finding

Observation = Asset | Relation | Fact | Unread
"""What a source of discovery yields."""


@dataclass(frozen=True, slots=True)
class ScanInfo:
    """About the scan itself; `files` were looked at and `bytes` were read."""

    id: str
    target: str
    started_at: datetime
    finished_at: datetime
    version: str
    files: int = 0
    bytes: int = 0
    rules: int = 0
    ignored: int = 0


@dataclass(frozen=True, slots=True)
class Inventory:
    """What discovery found: one asset per real thing, edges, facts, and what was not read."""

    assets: tuple[Asset, ...]
    relations: tuple[Relation, ...]
    facts: tuple[Fact, ...]
    unread: tuple[Unread, ...]
    files: int = 0
    bytes: int = 0


@dataclass(frozen=True, slots=True)
class ScanResult:
    """`{assets, relations, findings, unread, scan}`: what ``scan --format json`` prints."""

    assets: tuple[Asset, ...]
    relations: tuple[Relation, ...]
    findings: tuple[Finding, ...]
    unread: tuple[Unread, ...]
    scan: ScanInfo
