"""Evidence: a record that a control was exercised, with its outcome."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from keepwall.vocabulary.decision import Strength
from keepwall.vocabulary.json_value import JsonValue


@dataclass(frozen=True, slots=True)
class Evidence:
    """One exercised control; `control` names it, `about` is the incident, envelope or run."""

    id: str
    control: str
    about: str
    at: datetime
    outcome: str
    strength: Strength
    detail: Mapping[str, JsonValue] = field(default_factory=dict)
