"""What the control plane last said about a subject, as signed documents on this machine's disk.

They hold when the control plane is dead: a contained subject is born contained, and a narrowed
envelope stays narrow. Documents that are damaged, forged or rolled back refuse the start.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from keepwall.foundation.clock import Clock
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.envelope import Envelope

if TYPE_CHECKING:
    from keepwall.vocabulary.incident import Containment


@dataclass(frozen=True, slots=True)
class Orders:
    """The envelope that holds now, and a containment.

    `generation` is the sum of those of all documents that bind, so it rises with each of them; 0
    means the given envelope alone.
    """

    envelope: Envelope
    generation: int
    containment: Containment | None


def standing_orders(envelope: Envelope, state: StateDirectory, clock: Clock) -> Orders:
    """Return what holds for the subject of `envelope` on this machine.

    The given envelope and the latest signed generation of the same name both bind: allows
    intersect, denies unite.

    Raises:
        IntegrityError: a document on disk is not what was signed; nothing may start on a guess.
    """
    if not os.path.isdir(state.snapshots):  # noqa: PTH112 - no error where nothing may be looked at
        return Orders(envelope, 0, None)
    # Late on purpose: without documents no start pays for their readers and the cryptography.
    from keepwall.workflows.signed_orders import signed_orders  # noqa: PLC0415

    return Orders(*signed_orders(envelope, state, clock))
