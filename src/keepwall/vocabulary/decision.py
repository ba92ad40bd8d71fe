"""Decisions (what was answered) and outcomes (what really happened)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from keepwall.vocabulary.json_value import JsonValue


class Plane(StrEnum):
    """Where an envelope can be enforced."""

    RUNTIME = "runtime"
    NETWORK = "network"
    GATEWAY = "gateway"
    TOOLS = "tools"
    ADMISSION = "admission"
    ACCESS = "access"


class Strength(StrEnum):
    """What was really reached; never claim more. Ordered by `rank`, strongest last."""

    BLIND = "blind"
    SEEN_ONLY = "seen-only"
    KILLED_LATE = "killed-late"
    PREVENTED = "prevented"

    @property
    def rank(self) -> int:
        """0 (blind) to 3 (prevented)."""
        return tuple(Strength).index(self)


class Tier(StrEnum):
    """The mechanism that carries a rule."""

    LSM = "bpf-lsm"
    CGROUP = "cgroup-bpf"
    LANDLOCK = "landlock"
    SECCOMP = "seccomp"
    BROKER = "seccomp-broker"
    PROXY = "proxy"
    NONE = "none"


class Effect(StrEnum):
    """The answer of a decision."""

    ALLOW = "allow"
    AUDIT = "audit"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """One answer to one question; a value, never an exception."""

    id: str
    effect: Effect
    reason: str
    subject: str
    action: str
    resource: str
    at: datetime
    policies: tuple[str, ...] = ()
    obligations: Mapping[str, JsonValue] = field(default_factory=dict)
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What happened to a decision or rule on a plane; `about` is a decision id or a rule name."""

    about: str
    plane: Plane
    tier: Tier
    strength: Strength


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """What `compile` says of one rule: how it would be carried, and why no better."""

    rule: str
    plane: Plane
    tier: Tier
    strength: Strength
    why: str = ""
