"""A brake on guessing passwords, in bounded memory."""

from __future__ import annotations

from collections import OrderedDict, deque
from datetime import datetime, timedelta

from keepwall.foundation.clock import Clock


class SignInLimiter:
    """Counts sign-ins that have not succeeded, per address and over all, in a sliding `window`.

    At most `addresses` addresses are remembered, the least recent forgotten first; the count over
    all (`total`) keeps an attacker with many addresses from turning that into free guesses.
    """

    def __init__(
        self,
        clock: Clock,
        *,
        each: int = 5,
        total: int = 60,
        window: timedelta = timedelta(minutes=1),
        addresses: int = 1024,
    ) -> None:
        self._clock = clock
        self._each = each
        self._total = total
        self._window = window
        self._addresses = addresses
        self._by_address: OrderedDict[str, deque[datetime]] = OrderedDict()
        self._all: deque[datetime] = deque(maxlen=total)

    def attempt(self, address: str) -> int:
        """Count one try of `address`; returns 0, or how many seconds it must wait instead.

        A try counts before its password is checked, so trying in parallel gains nothing; one that
        must wait does not count, so a person who keeps clicking is not locked out for longer.
        """
        now = self._clock.now()
        times = self._by_address.setdefault(address, deque(maxlen=self._each))
        self._by_address.move_to_end(address)
        while len(self._by_address) > self._addresses:
            self._by_address.popitem(last=False)
        wait = max(
            _wait(times, self._each, now, self._window),
            _wait(self._all, self._total, now, self._window),
        )
        if not wait:
            times.append(now)
            self._all.append(now)
        return wait

    def succeeded(self, address: str) -> None:
        """Take back the tries of `address`: it knew the password."""
        for _ in self._by_address.pop(address, ()):
            if self._all:
                self._all.pop()


def _wait(times: deque[datetime], allowed: int, now: datetime, window: timedelta) -> int:
    if len(times) < allowed:
        return 0
    left = times[0] + window - now
    return max(0, -int(-left.total_seconds() // 1))
