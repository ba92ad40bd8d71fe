"""What a node says of its planes: ``status/<node>/<plane>``, signed by the node.

One document stands for all runs of the node: as strong as the weakest of them, as new as the
oldest envelope among them. Each run writes itself into it beside the others.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from keepwall.enforce.runtime.plan import RunPlan
from keepwall.foundation.bus.contract import Bus
from keepwall.foundation.bus.signed import SignedDocuments, Signer, Verifier
from keepwall.foundation.clock import Clock
from keepwall.vocabulary.decision import Plane, Strength
from keepwall.vocabulary.envelope import Mode
from keepwall.vocabulary.errors import IntegrityError, KeepwallError
from keepwall.vocabulary.identity import PlaneStatus

EVERY_SECONDS = 10.0
"""How often a run says that it is there."""
FRESH = timedelta(seconds=3 * EVERY_SECONDS)
"""After this much time without a word, a run counts as gone."""
_PLANES = (Plane.RUNTIME, Plane.NETWORK)
_MOST_RUNS = 100
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RunStatus:
    """What one run holds: the generation of its orders, and how strong it is on each plane."""

    run: str
    subject: str
    generation: int
    strengths: Mapping[Plane, Strength]


def reached(plan: RunPlan) -> Mapping[Plane, Strength]:
    """Return the strength of each plane of a run: that of its weakest rule, never more.

    A plane that the envelope does not list is blind; where nothing is refused (observe), it is
    seen-only at most.
    """
    best = Strength.SEEN_ONLY if plan.envelope.mode is Mode.OBSERVE else Strength.PREVENTED
    found = {}
    for plane in _PLANES:
        rules = [each.strength for each in plan.outcomes if each.plane is plane]
        listed = plane in plan.envelope.planes and rules
        found[plane] = min([best, *rules], key=_rank) if listed else Strength.BLIND
    return found


def _rank(strength: Strength) -> int:
    return strength.rank


class NodeStatus:
    """Publishes for one run, beside the others of its node."""

    def __init__(
        self, node: str, mine: RunStatus, signer: Signer, verifier: Verifier, clock: Clock
    ) -> None:
        self._node = node
        self._mine = mine
        self._signer = signer
        self._verifier = verifier
        self._clock = clock

    async def publish(self, bus: Bus) -> None:
        """Publish now and then every `EVERY_SECONDS`, for ever; a bus that fails is tried again."""
        documents = SignedDocuments(bus, self._clock)
        while True:
            for plane in _PLANES:
                try:
                    await self._put(documents, plane)
                except KeepwallError as error:
                    _log.warning("the status of %s is not published: %s", plane, error)
            await asyncio.sleep(EVERY_SECONDS)

    async def _put(self, documents: SignedDocuments, plane: Plane) -> None:
        key = f"{self._node}/{plane}"
        now = self._clock.now()
        last, others = 0, dict[str, str]()
        try:
            if (found := await documents.get(self._verifier, "status", key)) is not None:
                last, others = found.generation, _detail(found.body)
        except IntegrityError as error:  # somebody else's words: ours take their place
            _log.warning("the status of %s is not believed: %s", plane, error)
        status = merged(self._node, plane, self._mine, others, now)
        body = msgspec.to_builtins(status)
        # In milliseconds, so that it rises over all runs of the node without their agreement.
        generation = max(last + 1, int(now.timestamp() * 1000))
        await documents.put(self._signer, "status", key, generation=generation, body=body)


def merged(
    node: str, plane: Plane, mine: RunStatus, others: Mapping[str, str], now: datetime
) -> PlaneStatus:
    """Return the status of a plane with `mine` among the runs that spoke lately.

    `others` is the detail of the document before: by run, ``strength generation time subject``.
    """
    runs = {run: entry for run, text in others.items() if (entry := _entry(text, now))}
    runs[mine.run] = (mine.strengths[plane], mine.generation, now, mine.subject)
    kept = dict(sorted(runs.items(), key=lambda each: each[1][2])[-_MOST_RUNS:])
    return PlaneStatus(
        node=node,
        plane=plane,
        generation=min(entry[1] for entry in kept.values()),
        strength=min((entry[0] for entry in kept.values()), key=_rank),
        at=now,
        detail={
            run: f"{strength} {generation} {at.isoformat()} {subject}"
            for run, (strength, generation, at, subject) in kept.items()
        },
    )


def _entry(text: str, now: datetime) -> tuple[Strength, int, datetime, str] | None:
    """Return what a run said of itself, or None when it is no such thing or too long ago."""
    try:
        strength, generation, said, subject = text.split(" ", 3)
        at = datetime.fromisoformat(said)
        fresh = abs(now - at) <= FRESH
        return (Strength(strength), int(generation), at, subject) if fresh else None
    except (ValueError, TypeError):  # also a time without a zone
        return None


def _detail(body: Mapping[str, object] | None) -> dict[str, str]:
    try:
        return dict(msgspec.convert(body, PlaneStatus).detail) if body else {}
    except msgspec.ValidationError:
        return {}
