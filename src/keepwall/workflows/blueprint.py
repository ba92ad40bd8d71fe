"""The blueprint: in which phase an installation is, the test that ends it, and the next step.

The phases are data (`blueprint.toml`); each has one predicate here over what the store knows.
What the store cannot know is unknown, and an unknown phase is not passed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from importlib.resources import files

from keepwall.foundation.store.store import Store
from keepwall.vocabulary.decision import Effect, Strength
from keepwall.vocabulary.event import Event
from keepwall.vocabulary.incident import IncidentState
from keepwall.vocabulary.scan import ScanInfo
from keepwall.vocabulary.surface import Severity

FRESH = timedelta(days=1)
RECENT = timedelta(days=90)
UNREAD_SHARE = 0.01


class Passed(StrEnum):
    """Whether the test of a phase holds."""

    YES = "passed"
    NO = "not passed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Standing:
    """What the store knows about an installation, as far as the blueprint asks."""

    now: datetime
    scans: tuple[ScanInfo, ...] = ()
    """The latest scan of every target."""
    unread: int = 0
    """Parts that these scans did not read."""
    serious: int = 0
    """Critical and high findings that are open."""
    envelopes: int = 0
    refusal: Event | None = None
    """The newest refused attempt."""
    incidents: int = 0
    handled: datetime | None = None
    """When the newest incident opened that was contained and released."""


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase with where it stands; `because` says what that was read from."""

    id: str
    title: str
    goal: str
    test: str
    next: str
    passed: Passed
    because: str


def standing(store: Store, now: datetime) -> Standing:
    """Return what the store knows `now`."""
    scans = tuple(store.scans.targets())
    severities = store.finding_search.severities(now)
    refusals = store.events.list(effect=Effect.DENY, limit=1)
    incidents = store.incidents.list(limit=200)
    released = [each.opened_at for each in incidents if each.state is IncidentState.CLOSED]
    return Standing(
        now=now,
        scans=scans,
        unread=sum(len(store.scans.unread(each.id)) for each in scans),
        serious=severities[Severity.CRITICAL] + severities[Severity.HIGH],
        envelopes=len(store.documents.list("envelopes")),
        refusal=refusals[0].event if refusals else None,
        incidents=len(incidents),
        handled=max(released, default=None),
    )


def blueprint(seen: Standing) -> tuple[Phase, ...]:
    """Return every phase in order, each with where it stands."""
    text = files("keepwall.workflows").joinpath("blueprint.toml").read_text("utf-8")
    return tuple(
        Phase(**row, passed=passed, because=because)
        for row in tomllib.loads(text)["phase"]
        for passed, because in [_TESTS[row["id"]](seen)]
    )


def current(phases: tuple[Phase, ...]) -> Phase | None:
    """Return the phase that an installation is in: the first one not passed, or None at the end."""
    return next((each for each in phases if each.passed is not Passed.YES), None)


def _inventory(seen: Standing) -> tuple[Passed, str]:
    if not seen.scans:
        return Passed.NO, "nothing has been scanned"
    old = [each for each in seen.scans if seen.now - each.finished_at > FRESH]
    if old:
        return Passed.NO, f"{len(old)} of {_many(len(seen.scans), 'target')} not scanned for a day"
    looked = sum(each.files for each in seen.scans) + seen.unread
    share = seen.unread / looked if looked else 0.0
    said = f"{_many(len(seen.scans), 'target')}, {_many(seen.unread, 'part')} not read"
    return (Passed.YES if share <= UNREAD_SHARE else Passed.NO), f"{said} ({share:.1%})"


def _posture(seen: Standing) -> tuple[Passed, str]:
    if not seen.scans:
        return Passed.UNKNOWN, "nothing has been scanned"
    said = f"{_many(seen.serious, 'critical or high finding')} open"
    return (Passed.NO if seen.serious else Passed.YES), said


def _gates(seen: Standing) -> tuple[Passed, str]:
    del seen
    return Passed.UNKNOWN, "no answer of a gate reaches this store yet"


def _enforcement(seen: Standing) -> tuple[Passed, str]:
    if not seen.envelopes:
        return Passed.NO, "no envelope is published"
    if seen.refusal is None:
        return Passed.UNKNOWN, f"{_many(seen.envelopes, 'envelope')}, and nothing was refused yet"
    said = f"the newest refusal was {seen.refusal.strength}"
    return (Passed.YES if seen.refusal.strength is Strength.PREVENTED else Passed.NO), said


def _detection(seen: Standing) -> tuple[Passed, str]:
    if not seen.incidents:
        return Passed.UNKNOWN, "there was no incident yet: rehearse one"
    if seen.handled is None or seen.now - seen.handled > RECENT:
        said = f"{_many(seen.incidents, 'incident')}, none contained and released lately"
        return Passed.NO, said
    return Passed.YES, f"the last one opened {seen.handled:%Y-%m-%d}"


def _compliance(seen: Standing) -> tuple[Passed, str]:
    del seen
    return Passed.UNKNOWN, "exports of evidence are not recorded in this store"


def _many(number: int, one: str) -> str:
    return f"{number:,} {one if number == 1 else one + 's'}"


_TESTS: Mapping[str, Callable[[Standing], tuple[Passed, str]]] = {
    "inventory": _inventory,
    "posture": _posture,
    "gates": _gates,
    "enforcement": _enforcement,
    "detection": _detection,
    "compliance": _compliance,
}
