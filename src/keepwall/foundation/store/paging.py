"""Numbers that callers give, kept inside what both databases take."""

from __future__ import annotations

_MAXIMUM = 2**63 - 1


def bounded(number: int) -> int:
    """Return `number` inside 0 … 2⁶³-1; SQLite reads a negative limit as none at all."""
    return max(0, min(number, _MAXIMUM))
