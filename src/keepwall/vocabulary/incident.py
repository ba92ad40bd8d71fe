"""Incidents: events and findings that belong together, and what was done about them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from keepwall.vocabulary.surface import Severity, Surface


class IncidentState(StrEnum):
    """How far an incident has come."""

    OPEN = "open"
    CONTAINED = "contained"
    CLOSED = "closed"


class ContainmentLevel(StrEnum):
    """How far a subject is contained: no new actions, or stopped."""

    DENY = "deny"
    STOP = "stop"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One step in the story of an incident; `reference` is an event, envelope or evidence id."""

    at: datetime
    kind: str
    text: str
    reference: str = ""


@dataclass(frozen=True, slots=True)
class Containment:
    """The document under KV `containments/<incident>`; `until` None means until released."""

    incident: str
    subject: str
    level: ContainmentLevel
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Incident:
    """Events that belong together, with their story."""

    id: str
    title: str
    severity: Severity
    surface: Surface
    subject: str
    detection: str
    opened_at: datetime
    state: IncidentState = IncidentState.OPEN
    events: tuple[str, ...] = ()
    timeline: tuple[TimelineEntry, ...] = ()
