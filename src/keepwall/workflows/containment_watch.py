"""Sees an order to contain in this machine's own files, so that it reaches a run without a bus."""

from __future__ import annotations

import time
from collections.abc import Callable

from keepwall.foundation.clock import Clock
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.envelope import Envelope
from keepwall.vocabulary.errors import IntegrityError
from keepwall.workflows.standing_orders import standing_orders

_EVERY_SECONDS = 0.25


class ContainmentWatch:
    """Call it often: four times a second it looks whether the orders on disk have changed.

    `contain` is called with the incident once. Orders that do not hold change nothing for what
    runs already (they refuse every new start), and are said.
    """

    def __init__(
        self,
        envelope: Envelope,
        state: StateDirectory,
        clock: Clock,
        contain: Callable[[str], None],
        say: Callable[[str], None],
    ) -> None:
        self._envelope = envelope
        self._state = state
        self._clock = clock
        self._contain = contain
        self._say = say
        self._folder = state.snapshots / "containments"
        self._mark = self._changed_at()
        self._next = time.monotonic() + _EVERY_SECONDS

    def __call__(self) -> None:
        """Look, if it is time to."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + _EVERY_SECONDS
        mark = self._changed_at()
        if mark == self._mark:
            return
        self._mark = mark
        try:
            orders = standing_orders(self._envelope, self._state, self._clock)
        except IntegrityError as error:
            self._say(error.message)
            return
        if orders.containment:
            self._contain(orders.containment.incident)

    def _changed_at(self) -> int:
        try:
            return self._folder.stat().st_mtime_ns
        except OSError:
            return 0
