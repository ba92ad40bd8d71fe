"""Turns what the supervisor saw into events, and into lines that a person can act on."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from keepwall.enforce.runtime import processes
from keepwall.foundation.clock import Clock
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.envelope import Envelope
from keepwall.vocabulary.event import Activity, Event, EventClass
from keepwall.vocabulary.surface import Severity

_MOST_LINES = 20
_MOST_KNOWN = 4096
_QUIET_NS = 1_000_000_000
_CLASSES = {
    Activity.EXECUTE: EventClass.PROCESS,
    Activity.EXIT: EventClass.PROCESS,
    Activity.CONNECT: EventClass.NETWORK,
    Activity.LISTEN: EventClass.NETWORK,
    Activity.CREATE: EventClass.NETWORK,
}
_VERBS = {
    Activity.READ: "reading {}",
    Activity.WRITE: "writing {}",
    Activity.EXECUTE: "starting {}",
    Activity.CONNECT: "connecting to {}",
    Activity.LISTEN: "listening on {}",
    Activity.CREATE: "opening a socket for {}",
}


class EventSink(Protocol):
    """Where events of a run go."""

    def emit(self, event: Event) -> None:
        """Take one event; must return at once."""
        ...


@dataclass(frozen=True, slots=True)
class Sighting:
    """One attempt with its answer, before it becomes an event."""

    activity: Activity
    target: str
    effect: Effect
    rule: str
    plane: Plane
    tier: Tier
    strength: Strength
    process: int


@dataclass(frozen=True, slots=True)
class _Known:
    """A kind of attempt: its latest sighting, when it was last told (ns), and repeats since."""

    sighting: Sighting
    at: int
    repeats: int


class Reporter:
    """Numbers, joins and throttles the events of one run.

    The same attempt again within a second is counted, not repeated; the count travels with the
    next event of it. Memory is bounded: the oldest kinds of attempt are forgotten first.
    """

    def __init__(
        self,
        envelope: Envelope,
        generation: int,
        sink: EventSink,
        clock: Clock,
        *,
        node: str,
        say: Callable[[str], None],
    ) -> None:
        self._envelope = envelope
        self._generation = generation
        self._sink = sink
        self._clock = clock
        self._node = node
        self._say = say
        self._run = f"{boot_id()[:8]}{os.getpid():x}{clock.now().timestamp():.0f}"
        self._sequence = 0
        self._seen: dict[tuple[Activity, str, Effect], _Known] = {}
        self._lines = 0

    def report(self, sighting: Sighting) -> None:
        """Emit an event for a sighting, unless it repeats one of the last second."""
        key = (sighting.activity, sighting.target, sighting.effect)
        now = int(self._clock.now().timestamp() * 1e9)
        known = self._seen.pop(key, None)
        if known and now - known.at < _QUIET_NS:
            self._seen[key] = _Known(sighting, known.at, known.repeats + 1)
            return
        while len(self._seen) >= _MOST_KNOWN:
            self._settle(self._seen.pop(next(iter(self._seen))))
        self._seen[key] = _Known(sighting, now, 0)
        event = self._event(sighting, known.repeats + 1 if known else 1)
        self._sink.emit(event)
        if sighting.effect is Effect.DENY and not known:
            self._tell(event)

    def close(self) -> None:
        """Emit what was counted and not yet told, and say how many refusals went unprinted."""
        for known in self._seen.values():
            self._settle(known)
        self._seen.clear()
        if self._lines > _MOST_LINES:
            self._say(f"{self._lines - _MOST_LINES} more refusals are in the events")

    def _settle(self, known: _Known) -> None:
        if known.repeats:
            self._sink.emit(self._event(known.sighting, known.repeats))

    def _event(self, sighting: Sighting, count: int) -> Event:
        self._sequence += 1
        return Event(
            id=f"{self._node}:{self._run}:{self._sequence}",
            event_class=_CLASSES.get(sighting.activity, EventClass.FILE),
            activity=sighting.activity,
            at=self._clock.now(),
            node=self._node,
            subject=self._envelope.subject_name,
            target=sighting.target,
            effect=sighting.effect,
            plane=sighting.plane,
            tier=sighting.tier,
            strength=sighting.strength,
            message=_message(sighting),
            severity=Severity.MEDIUM if sighting.effect is Effect.DENY else Severity.LOW,
            process=processes.describe(sighting.process),
            rule=sighting.rule,
            envelope=self._envelope.name,
            generation=self._generation,
            count=count,
        )

    def _tell(self, event: Event) -> None:
        self._lines += 1
        if self._lines > _MOST_LINES:
            return
        self._say(
            f"{event.message} ({event.rule}, {event.strength}); "
            f"why: keepwall explain {event.id}; "
            f"to propose it: keepwall envelope propose {event.id}"
        )


def boot_id() -> str:
    """Return the id of this boot without dashes, so that numbers of different boots differ."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip().replace("-", "")
    except OSError:
        return "0" * 32


def _message(sighting: Sighting) -> str:
    target = sighting.target
    home = os.path.expanduser("~")
    if home != "/" and target.startswith(home + "/"):
        target = "~" + target[len(home) :]
    phrase = _VERBS.get(sighting.activity, sighting.activity + " {}").format(_plain(target))
    if sighting.effect is not Effect.DENY:
        return f"{phrase} was let through and watched"
    if sighting.rule.startswith("file.deny"):
        return f"{phrase} is denied by this envelope"
    return f"{phrase} is not in this envelope"


def _plain(text: str) -> str:
    """Return `text` without control characters, which could rewrite a terminal."""
    return "".join(char if char.isprintable() else f"\\x{ord(char):02x}" for char in text)
