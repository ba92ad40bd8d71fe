"""Words for the tests of the store."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Activity, Event, EventClass, Process
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.finding import Finding, fingerprint
from keepwall.vocabulary.incident import Incident
from keepwall.vocabulary.scan import ScanInfo, ScanResult
from keepwall.vocabulary.surface import Severity, Surface

NOON = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def asset(
    name: str,
    *paths: str,
    kind: AssetKind = AssetKind.LIBRARY,
    surface: Surface = Surface.PIPELINE,
    owner: str = "",
    **attributes: str,
) -> Asset:
    places = tuple(Location(path, 3) for path in paths)
    return Asset(kind, name, name, surface, places, owner=owner, attributes=attributes)


def finding(
    rule: str = "pin-it",
    about: str = "library:pkg:pypi/torch",
    path: str = "requirements.txt",
    severity: Severity = Severity.HIGH,
    surface: Surface = Surface.PIPELINE,
) -> Finding:
    return Finding(
        rule=rule,
        title=f"Title of {rule}",
        severity=severity,
        surface=surface,
        asset=about,
        location=Location(path, 7),
        message="torch is not pinned",
        why="what is built tomorrow differs",
        fix="pin it",
        fingerprint=fingerprint(rule, about, path, "torch"),
        mappings={"atlas": ("AML.T0010",), "owasp-llm": ("LLM03", "LLM05")},
    )


def result(
    target: str,
    *,
    scan_id: str = "",
    minutes: float = 0,
    assets: tuple[Asset, ...] = (),
    relations: tuple[Relation, ...] = (),
    findings: tuple[Finding, ...] = (),
    unread: tuple[Unread, ...] = (),
) -> ScanResult:
    info = ScanInfo(
        id=scan_id or f"{target}@{minutes}",
        target=target,
        started_at=at(minutes - 1),
        finished_at=at(minutes),
        version="1.0",
        files=3,
        bytes=4096,
        rules=2,
    )
    return ScanResult(assets, relations, findings, unread, info)


def event(number: int, *, subject: str = "run:claims", effect: Effect = Effect.ALLOW) -> Event:
    return Event(
        id=f"node-1:boot:{number}",
        event_class=EventClass.FILE,
        activity=Activity.READ,
        at=at(number / 60),
        node="node-1",
        subject=subject,
        target=f"/models/claims/{number}",
        effect=effect,
        plane=Plane.RUNTIME,
        tier=Tier.LSM,
        strength=Strength.PREVENTED,
        message="read of a model file",
        severity=Severity.MEDIUM,
        process=Process(number, "/usr/bin/python3.11", "python3 agent.py", "claims", 12345),
        rule="file.read[0]",
        count=2,
    )


def incident(
    incident_id: str, *, subject: str = "run:claims", minutes: float = 0, detection: str = "exfil"
) -> Incident:
    return Incident(
        id=incident_id,
        title="Model copied",
        severity=Severity.CRITICAL,
        surface=Surface.AGENT,
        subject=subject,
        detection=detection,
        opened_at=at(minutes),
    )
