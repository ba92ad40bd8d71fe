"""Since when, and until when, something was seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

GONE_KEPT = timedelta(days=400)
"""How long an asset that is gone and a finding that is resolved can still be looked up."""


@dataclass(frozen=True, slots=True)
class Seen:
    """`until` is when the scan ended that no longer saw it, or None while it is there."""

    first: datetime
    last: datetime
    until: datetime | None = None
