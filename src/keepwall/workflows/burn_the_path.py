"""Monitoring coupled with enforcement: events in, and the path they took is closed.

event → store → detection → incident → containment → narrower envelope → evidence. Each step is
recorded as it is reached; a step that fails is said in the incident's timeline, never passed over.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import msgspec

from keepwall.detect.detection import Detection
from keepwall.detect.detections import Detections
from keepwall.formats.envelope.render import render
from keepwall.foundation.clock import Clock
from keepwall.foundation.store.store import Store
from keepwall.prove.record import EvidenceRecorder
from keepwall.respond import incidents
from keepwall.respond.incidents import Alarm
from keepwall.respond.narrow import narrowed
from keepwall.vocabulary.decision import Effect, Strength
from keepwall.vocabulary.envelope import EnvelopeGeneration
from keepwall.vocabulary.errors import IntegrityError, KeepwallError
from keepwall.vocabulary.event import Activity, Event
from keepwall.vocabulary.evidence import Evidence
from keepwall.vocabulary.incident import (
    Containment,
    ContainmentLevel,
    Incident,
    IncidentState,
    TimelineEntry,
)
from keepwall.vocabulary.subjects import narrowing_of
from keepwall.workflows.documents import Documents

_log = logging.getLogger(__name__)
_ANSWERED = "burn-the-path.answered"
"""The setting that holds the sequence of the last event that was answered."""
Notify = Callable[[str, int, object], None]
"""Called with what changed (``event``, ``incident``), its number in the store or 0, and itself."""


@dataclass(slots=True)
class BurnThePath:
    """The story from an event to a closed path, for one installation."""

    store: Store
    documents: Documents
    detections: Detections
    evidence: EvidenceRecorder
    clock: Clock
    notify: Notify
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def take(self, events: Sequence[Event]) -> int:
        """Store events and answer them; return how many were new. Known ones change nothing."""
        fresh = self.store.events.append(events)
        await self.answer_pending()
        return fresh

    async def answer_pending(self) -> None:
        """Answer every stored event that was not answered yet, oldest first.

        How far the answers have come is kept in the store and moves on after them, so a crash
        in between means that some are given twice, never that one is not given. Each answer is
        therefore one that changes nothing the second time.
        """
        async with self._turn:
            answered = int(self.store.settings.get(_ANSWERED) or 0)
            while pending := self.store.events.after(answered):
                for stored in pending:
                    self.notify("event", stored.sequence, stored.event)
                    for detection in self.detections.match(stored.event):
                        await self._answer(detection)
                answered = pending[-1].sequence
                self.store.settings.set(_ANSWERED, str(answered))

    async def _answer(self, detection: Detection) -> None:
        alarm = Alarm(
            detection=detection.name,
            title=detection.title,
            severity=detection.severity,
            surface=detection.surface,
            contain=detection.contain,
            event=detection.event,
        )
        incident = incidents.place(self.store, alarm)
        if self.store.incidents.get(incident.id) is None:
            self._prove(
                "incident.opened",
                incident.id,
                "opened",
                detection.event.strength,
                {
                    "detection": detection.name,
                    "event": detection.event.id,
                    "subject": incident.subject,
                },
            )
        incident = incidents.attach(self.store, incident, alarm, self.clock)
        self.notify("incident", 0, incident.id)
        if not detection.contain or incident.state is IncidentState.CLOSED:
            return
        if incident.state is not IncidentState.CONTAINED:
            await self._step(incident, "containment", self.contain(incident.subject, incident.id))
        await self._step(incident, "narrowing", self.narrow(incident.id))

    async def _step(self, incident: Incident, name: str, step: Awaitable[None]) -> None:
        try:
            await step
        except KeepwallError as error:
            _log.error("%s of %s failed: %s", name, incident.id, error.message)
            self._tell(incident.id, name, f"failed: {error.message}")

    async def contain(self, subject: str, incident: str) -> None:
        """Contain `subject`: it is stopped where it runs, and born contained where it starts."""
        containment = Containment(incident, subject, ContainmentLevel.STOP, self.clock.now())
        await self._order(containment)
        self._prove(
            "containment",
            incident,
            "contained",
            Strength.KILLED_LATE,
            {"subject": subject, "running": "killed-late", "new starts": "prevented"},
        )
        self._tell(
            incident,
            "containment",
            f"{subject} is contained: running instances are stopped, new ones do not start",
            state=IncidentState.CONTAINED,
        )
        self.notify("incident", 0, incident)

    async def release(self, incident: str) -> None:
        """Lift the containment; the narrowed envelope stays.

        Raises:
            IntegrityError: there is no such incident.
        """
        found = self._incident(incident)
        released = Containment(incident, found.subject, ContainmentLevel.RELEASED, self.clock.now())
        await self._order(released)
        self._tell(
            incident,
            "release",
            f"{found.subject} may start again, inside its narrowed envelope",
            state=IncidentState.CLOSED,
        )
        self._prove("release", incident, "released", Strength.PREVENTED, {"subject": found.subject})
        self.notify("incident", 0, incident)

    async def narrow(self, incident: str) -> None:
        """Publish the next generation of the envelope, with the incident's path denied."""
        found = self._incident(incident)
        path = self._path(found)
        name = next((event.envelope for event in path if event.envelope), "")
        if not name:
            self._tell(incident, "narrowing", "no event names an envelope: nothing to narrow")
            return
        uid = narrowing_of(name)
        generation = self.documents.generation("envelopes", uid)
        before = self.documents.envelope(uid)
        after = narrowed(before, name, path)
        if after != before:
            generation += 1
            document = EnvelopeGeneration(uid, generation, render(after), f"incident {incident}")
            await self.documents.put("envelopes", uid, msgspec.to_builtins(document), generation)
        reference = f"{uid}@{generation}"
        if any(entry.reference == reference for entry in found.timeline):
            return
        denied = sorted({event.target for event in path})
        self._prove(
            "envelope.narrowed",
            incident,
            "signed",
            Strength.PREVENTED,
            {"envelope": name, "generation": generation, "path": denied},
        )
        self._tell(
            incident,
            "narrowing",
            f"envelope {uid} is generation {generation}: the path over {', '.join(denied)} is "
            "closed",
            reference=reference,
        )

    def _path(self, incident: Incident) -> list[Event]:
        """Return what the attack did: the alarms, and what else its process was refused near it."""
        alarms = [e for each in incident.events if (e := self.store.events.get(each))]
        runs = {event.id.rsplit(":", 1)[0] for event in alarms}
        recent = [
            stored.event
            for stored in self.store.events.list(subject=incident.subject, limit=200)
            if stored.event.id.rsplit(":", 1)[0] in runs
        ]
        refused = [event for event in reversed(recent) if event.effect is not Effect.ALLOW]
        processes = {(event.process.pid, event.process.started) for event in alarms}
        steps = (Activity.CONNECT, Activity.EXECUTE)
        return [
            event
            for event in refused
            if event in alarms
            or ((event.process.pid, event.process.started) in processes and event.activity in steps)
        ]

    def _incident(self, incident: str) -> Incident:
        found = self.store.incidents.get(incident)
        if found is None:
            raise IntegrityError(
                f"there is no incident {incident}", hint="keepwall incident list shows them"
            )
        return found

    async def _order(self, containment: Containment) -> None:
        generation = self.documents.generation("containments", containment.incident) + 1
        body = msgspec.to_builtins(containment)
        await self.documents.put("containments", containment.incident, body, generation)

    def _tell(
        self,
        incident: str,
        kind: str,
        text: str,
        *,
        reference: str = "",
        state: IncidentState | None = None,
    ) -> None:
        entry = TimelineEntry(self.clock.now(), kind, text, reference)
        self.store.incidents.add(incident, entry, state=state)

    def _prove(
        self, control: str, about: str, outcome: str, strength: Strength, detail: dict[str, Any]
    ) -> str:
        identity = f"ev-{uuid4()}"
        self.evidence.record(
            Evidence(identity, control, about, self.clock.now(), outcome, strength, detail)
        )
        return identity
