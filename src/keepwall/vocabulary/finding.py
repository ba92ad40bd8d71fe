"""Findings: rules that an asset fails, with a fingerprint that survives moved lines."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.surface import Severity, Surface


def fingerprint(rule: str, asset: str, path: str, evidence: str, ordinal: int = 0) -> str:
    """Return a stable 32-digit hex fingerprint.

    Line numbers are left out, so an edit above the place does not make a new finding; `ordinal`
    tells equal evidence in one file apart, counted from the top.
    """
    parts = "\x1f".join((rule, asset, path, " ".join(evidence.split()), str(ordinal)))
    return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that an asset fails.

    `exposure` is from 0 to 100 and says what to look at first: how bad it is, how it is reached
    from outside and what it reaches. `reason` says so in one line, and is empty where the graph
    adds nothing to the severity.
    """

    rule: str
    title: str
    severity: Severity
    surface: Surface
    asset: str
    location: Location
    message: str
    why: str
    fix: str
    fingerprint: str
    mappings: Mapping[str, Sequence[str]] = field(default_factory=dict)
    exposure: int = 0
    reason: str = ""
