"""Evidence as records of the ledger."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from keepwall.foundation.clock import Clock
from keepwall.foundation.trust import canonical
from keepwall.vocabulary.decision import Strength
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.evidence import Evidence

_KEYS = ("about", "at", "control", "detail", "id", "outcome", "recordedAt", "strength")


class Appends(Protocol):
    """A ledger that can be written."""

    def append(self, records: list[bytes]) -> list[int]:
        """Append records, durable when it returns, and return their indexes."""
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """Evidence with the time at which the ledger took it."""

    evidence: Evidence
    recorded_at: datetime

    def encode(self) -> bytes:
        """Return the record: JSON in its one canonical spelling.

        Raises:
            FormatError: the detail holds something that JSON has no place for, or a time has no
                time zone.
        """
        it = self.evidence
        return canonical.encode(
            {
                "about": it.about,
                "at": canonical.stamp(it.at),
                "control": it.control,
                "detail": dict(it.detail),
                "id": it.id,
                "outcome": it.outcome,
                "recordedAt": canonical.stamp(self.recorded_at),
                "strength": it.strength.value,
            }
        )

    @classmethod
    def decode(cls, record: bytes) -> Recorded:
        """Return the evidence in a record.

        Raises:
            FormatError: it is not one.
        """
        found = canonical.decode_object(record, *_KEYS)
        texts = [found[key] for key in ("about", "control", "id", "outcome")]
        if not all(isinstance(each, str) for each in texts) or not isinstance(
            found["detail"], dict
        ):
            raise FormatError("not evidence: a field has the wrong type")
        try:
            strength = Strength(found["strength"])
        except ValueError as error:
            raise FormatError("not evidence: an unknown strength") from error
        about, control, identity, outcome = texts
        evidence = Evidence(
            id=identity,
            control=control,
            about=about,
            at=canonical.instant(found["at"]),
            outcome=outcome,
            strength=strength,
            detail=found["detail"],
        )
        return cls(evidence, canonical.instant(found["recordedAt"]))


class EvidenceRecorder:
    """Writes evidence to a ledger, with the time at which it was recorded."""

    def __init__(self, ledger: Appends, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock

    def record(self, evidence: Evidence) -> int:
        """Return the index of the evidence in the ledger, where it is durable now.

        Raises:
            FormatError: it cannot be written as JSON.
            ConfigError, ConnectError: the ledger did not take it.
        """
        record = Recorded(evidence, self._clock.now()).encode()
        return self._ledger.append([record])[0]
