"""The signed documents on this machine's disk that bind a subject, checked and composed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from keepwall.decide.composition import compose
from keepwall.formats.envelope.parse import parse
from keepwall.foundation.bus.snapshot import SnapshotDirectory
from keepwall.foundation.clock import Clock
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.envelope import Envelope, EnvelopeGeneration
from keepwall.vocabulary.errors import IntegrityError
from keepwall.vocabulary.incident import Containment, ContainmentLevel
from keepwall.vocabulary.subjects import concerns
from keepwall.workflows.run_identity import subjects_of


def signed_orders(
    envelope: Envelope, state: StateDirectory, clock: Clock
) -> tuple[Envelope, int, Containment | None]:
    """Return the envelope that is left, the sum of the generations that bind, a containment.

    Raises:
        IntegrityError: a document on disk is not what was signed.
    """
    snapshots = SnapshotDirectory(state.snapshots)
    generation, containment = 0, None
    if snapshots.has("containments") or snapshots.has("envelopes"):
        documents = _Documents(snapshots, state, clock)
        now, subjects = clock.now(), subjects_of(envelope)
        for body in documents.bodies("containments"):
            found = msgspec.convert(body, Containment)
            if found.subject in subjects and _holds(found, now):
                containment = found
        for body in documents.bodies("envelopes"):
            signed = msgspec.convert(body, EnvelopeGeneration)
            if concerns(signed.uid, envelope.name):
                generation += signed.generation
                origin = f"{signed.uid} generation {signed.generation}"
                envelope = compose([envelope, parse(signed.spec.encode(), origin)])
    return envelope, generation, containment


def _holds(containment: Containment, now: datetime) -> bool:
    released = containment.level is ContainmentLevel.RELEASED
    return not released and (containment.until is None or now < containment.until)


class _Documents:
    """The documents of this machine, each checked against the root key of the installation."""

    def __init__(self, snapshots: SnapshotDirectory, state: StateDirectory, clock: Clock) -> None:
        # Late on purpose: without documents no start pays for the cryptography.
        from keepwall.foundation.trust.installed import (  # noqa: PLC0415
            installed_revocations,
            installed_root,
        )
        from keepwall.foundation.trust.verify import Verifier  # noqa: PLC0415

        root = installed_root(state.trust)
        if root is None:
            raise IntegrityError(
                f"{state.snapshots} holds orders, but the root key to check them is gone",
                hint="restore the trust directory from its backup",
            )
        self._snapshots = snapshots
        self._verifier = Verifier(root, revocations=installed_revocations(state.trust))
        self._now = clock.now()

    def bodies(self, bucket: str) -> list[dict[str, Any]]:
        """Return the bodies of a bucket's documents.

        Raises:
            IntegrityError: one was refused.
        """
        loaded = self._snapshots.load(bucket, self._verifier, self._now)
        if loaded.refused:
            raise IntegrityError(
                f"an order on disk does not hold: {loaded.refused[0]}",
                hint="keepwall up writes the true ones again; nothing starts on a guess",
            )
        return [dict(each.body) for each in loaded.documents if each.body is not None]
