"""Events and lines of one run: numbered, joined, throttled, bounded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from keepwall.enforce.runtime import report
from keepwall.enforce.runtime.report import Reporter, Sighting
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.envelope import Envelope
from keepwall.vocabulary.event import Activity, Event, EventClass


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at


class Desk:
    """A reporter with what came out of it."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.lines: list[str] = []
        self.clock = Hand()
        envelope = Envelope("claims", (Plane.RUNTIME,))
        self.reporter = Reporter(envelope, 3, self, self.clock, node="node1", say=self.lines.append)

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def see(
        self, target: str, effect: Effect = Effect.DENY, activity: Activity = Activity.READ
    ) -> None:
        self.reporter.report(
            Sighting(activity, target, effect, "file.read:default", Plane.RUNTIME,
                     Tier.LANDLOCK, Strength.PREVENTED, 0)
        )  # fmt: skip


def test_a_sighting_becomes_an_event():
    desk = Desk()
    desk.see("/etc/shadow")
    event = desk.events[0]
    assert event.id.startswith("node1:")
    assert event.id.endswith(":1")
    assert (event.subject, event.envelope, event.generation) == ("run:claims", "claims", 3)
    assert (event.event_class, event.target) == (EventClass.FILE, "/etc/shadow")
    assert event.message == "reading /etc/shadow is not in this envelope"
    assert desk.lines[0].startswith(event.message)
    assert event.id in desk.lines[0]


def test_each_activity_has_its_class_and_every_event_its_own_id():
    desk = Desk()
    for activity, expected in (
        (Activity.WRITE, EventClass.FILE),
        (Activity.EXECUTE, EventClass.PROCESS),
        (Activity.CONNECT, EventClass.NETWORK),
        (Activity.LISTEN, EventClass.NETWORK),
        (Activity.CREATE, EventClass.NETWORK),
    ):
        desk.see("x", activity=activity)
        assert desk.events[-1].event_class is expected
    assert len({event.id for event in desk.events}) == 5


def test_the_same_again_within_a_second_is_counted_and_told_later():
    desk = Desk()
    for _ in range(5):
        desk.see("/a")
    assert len(desk.events) == 1
    desk.clock.at += timedelta(seconds=2)
    desk.see("/a")
    assert [event.count for event in desk.events] == [1, 5]
    desk.see("/a")
    desk.see("/a")
    desk.reporter.close()
    assert [event.count for event in desk.events] == [1, 5, 2]
    assert sum(event.count for event in desk.events) == 8


def test_another_effect_or_activity_is_another_thing():
    desk = Desk()
    desk.see("/a")
    desk.see("/a", Effect.AUDIT)
    desk.see("/a", activity=Activity.WRITE)
    assert len(desk.events) == 3
    assert len(desk.lines) == 2  # what was let through is not told to the person


def test_a_flood_is_bounded_in_lines_and_in_memory_and_nothing_is_lost():
    desk = Desk()
    times = report._MOST_KNOWN + 500
    for number in range(times):
        desk.see(f"/{number}")
        desk.see(f"/{number}")
    assert len(desk.reporter._seen) == report._MOST_KNOWN
    assert len(desk.lines) == report._MOST_LINES
    desk.reporter.close()
    assert sum(event.count for event in desk.events) == 2 * times
    assert f"{times - report._MOST_LINES} more refusals" in desk.lines[-1]


def test_nothing_that_a_program_names_can_rewrite_a_terminal():
    desk = Desk()
    desk.see("/a\x1b[2J\n\r\x07\udcff\u202eb")
    for text in (desk.lines[0], desk.events[0].message):
        assert text.isprintable()
    assert desk.events[0].target == "/a\x1b[2J\n\r\x07\udcff\u202eb"


def test_a_denial_by_name_reads_otherwise_and_so_does_what_was_let_through():
    desk = Desk()
    desk.reporter.report(
        Sighting(Activity.READ, "/a", Effect.DENY, "file.deny:/a", Plane.RUNTIME,
                 Tier.BROKER, Strength.PREVENTED, 0)
    )  # fmt: skip
    desk.see("/b", Effect.AUDIT)
    assert desk.events[0].message == "reading /a is denied by this envelope"
    assert desk.events[1].message == "reading /b was let through and watched"
