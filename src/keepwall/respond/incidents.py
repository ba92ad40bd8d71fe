"""Which incident an alarm belongs to, and what is said in its timeline."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from keepwall.foundation.clock import Clock
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.event import Event
from keepwall.vocabulary.incident import Incident, TimelineEntry
from keepwall.vocabulary.surface import Severity, Surface


@dataclass(frozen=True, slots=True)
class Alarm:
    """What a detection says about one event."""

    detection: str
    title: str
    severity: Severity
    surface: Surface
    contain: bool
    event: Event


def place(store: Store, alarm: Alarm) -> Incident:
    """Return the incident that the alarm belongs to: an open one, or a new one not yet stored.

    Alarms of one detection about one subject belong together until the incident is closed. A new
    id follows from the event, so the same event never opens a second incident.
    """
    event = alarm.event
    digest = hashlib.sha256(f"{event.id}\x1f{alarm.detection}".encode()).hexdigest()
    identity = f"inc-{event.at:%Y%m%d}-{digest[:8]}"
    known = store.incidents.get(identity) or store.incidents.find_open(
        event.subject, alarm.detection
    )
    return known or Incident(
        id=identity,
        title=alarm.title,
        severity=alarm.severity,
        surface=alarm.surface,
        subject=event.subject,
        detection=alarm.detection,
        opened_at=event.at,
    )


def attach(store: Store, incident: Incident, alarm: Alarm, clock: Clock) -> Incident:
    """Store the incident if it is new, and the alarm in it if it is not there; return it."""
    event = alarm.event
    if event.id in incident.events:
        return incident
    said = TimelineEntry(
        event.at, "detection", f"{alarm.title}: {event.message} ({event.strength})", event.id
    )
    if store.incidents.get(incident.id) is not None:
        return store.incidents.add(incident.id, said, events=(event.id,))
    opened = replace(incident, opened_at=clock.now(), events=(event.id,), timeline=(said,))
    store.incidents.open(opened)
    return opened
