"""What an envelope answers to a recorded event: the same policies as a fenced run, no kernel."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from keepwall.decide.addresses import Address, normal
from keepwall.enforce.runtime.compile import baseline
from keepwall.enforce.runtime.policy import FilePolicy, NetworkPolicy, Use, Verdict
from keepwall.vocabulary.decision import Effect, Plane
from keepwall.vocabulary.envelope import Envelope
from keepwall.vocabulary.event import Activity, Event

USES: Mapping[Activity, Use] = {
    Activity.READ: Use.READ,
    Activity.WRITE: Use.WRITE,
    Activity.DELETE: Use.WRITE,
    Activity.EXECUTE: Use.EXECUTE,
}
"""Which list of an envelope answers to an activity on a path."""
_SOCKETS = (Activity.CONNECT, Activity.LISTEN)


@dataclass(frozen=True, slots=True)
class Blocked:
    """Attempts that an envelope would refuse; `times` counts all of them, `event` is the newest."""

    event: Event
    rule: str
    times: int


class Judge:
    """Answers for one envelope, in the subject's own root: that of this machine."""

    def __init__(self, envelope: Envelope) -> None:
        runtime = Plane.RUNTIME in envelope.planes
        self._files = FilePolicy.of(envelope, tuple(baseline())) if runtime else None
        self._network = (
            NetworkPolicy.of(envelope.network) if Plane.NETWORK in envelope.planes else None
        )

    def answer(self, event: Event) -> Verdict | None:
        """Return what the envelope says of an event, or None where its planes say nothing."""
        if event.rule == "process.loader":
            return None if self._files is None else Verdict(Effect.DENY, event.rule)
        if event.activity in USES and event.target.startswith("/"):
            if self._files is None:
                return None
            return self._files.decide(USES[event.activity], event.target)
        if event.activity in _SOCKETS:
            return self._socket(event)
        if event.activity is Activity.CREATE and event.plane is Plane.NETWORK:
            return None if self._network is None else Verdict(Effect.DENY, "network:default")
        return None

    def _socket(self, event: Event) -> Verdict | None:
        peer = peer_of(event.target)
        if peer is None:
            if self._network is None or self._files is None or not event.target.startswith("/"):
                return None
            return self._files.decide(Use.WRITE, event.target)
        if self._network is None:
            return None
        address, port = peer
        if event.activity is Activity.LISTEN:
            return self._network.offer(address, port)
        return self._network.reach(normal(address), port)


def peer_of(target: str) -> tuple[Address, int] | None:
    """Return address and port of ``address:port`` or ``[address]:port``, else None."""
    host, colon, port = target.rpartition(":")
    try:
        found = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        return (found, int(port)) if colon else None
    except ValueError:
        return None


def blocked(envelope: Envelope, events: Iterable[Event]) -> list[Blocked]:
    """Return what `envelope` would have refused of `events`, the most frequent first.

    An event that comes twice counts once.
    """
    judge = Judge(envelope)
    seen: set[str] = set()
    found: dict[tuple[Activity, str, str], Blocked] = {}
    for event in events:
        verdict = judge.answer(event)
        if verdict is None or verdict.allowed or event.id in seen:
            continue
        seen.add(event.id)
        key = (event.activity, event.target, verdict.rule)
        known = found.get(key, Blocked(event, verdict.rule, 0))
        newest = max(known.event, event, key=lambda each: each.at)
        found[key] = Blocked(newest, verdict.rule, known.times + event.count)
    return sorted(found.values(), key=lambda each: (-each.times, each.event.target))
