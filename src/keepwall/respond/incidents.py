"""Which incident an alarm belongs to, and what is said in its timeline."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

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


def attach(store: Store, alarm: Alarm, clock: Clock) -> tuple[Incident, bool]:
    """Add the alarm to its open incident, or open one; return it and whether it is new.

    Alarms of one detection about one subject belong together until the incident is closed.
    """
    event = alarm.event
    said = TimelineEntry(
        event.at, "detection", f"{alarm.title}: {event.message} ({event.strength})", event.id
    )
    known = store.incidents.find_open(event.subject, alarm.detection)
    if known is not None:
        if event.id in known.events:
            return known, False
        return store.incidents.add(known.id, said, events=(event.id,)), False
    now = clock.now()
    digest = hashlib.sha256(f"{event.id}\x1f{alarm.detection}".encode()).hexdigest()
    incident = Incident(
        id=f"inc-{now:%Y%m%d}-{digest[:8]}",
        title=alarm.title,
        severity=alarm.severity,
        surface=alarm.surface,
        subject=event.subject,
        detection=alarm.detection,
        opened_at=now,
        events=(event.id,),
        timeline=(said,),
    )
    store.incidents.open(incident)
    return incident, True
