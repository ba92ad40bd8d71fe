"""Identities, registrations, grants and revocations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Identity:
    """A human (``iss|sub``), a workload or an agent (SPIFFE ID); `chain` is on whose behalf."""

    id: str
    chain: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Registration:
    """How a running thing is recognised as an identity; every selector must match."""

    spiffe: str
    selectors: Mapping[str, str]
    owner: str

    def recognises(self, seen: Mapping[str, str]) -> bool:
        """Return whether a thing with the selectors `seen` is this identity.

        Every selector must be there with the same value; a registration without selectors
        recognises nothing, for it would be everybody.
        """
        return bool(self.selectors) and all(
            seen.get(name) == value for name, value in self.selectors.items()
        )


@dataclass(frozen=True, slots=True)
class Grant:
    """A time-boxed elevation, bound to one exact object, approved by another role."""

    id: str
    subject: str
    action: str
    resource: str
    approved_by: str
    reason: str
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Revocation:
    """The document under KV `revocations/<entity>`: what was issued earlier is refused."""

    entity: str
    issued_before: datetime
    sequence: int
    reason: str


@dataclass(frozen=True, slots=True)
class PlaneStatus:
    """The document under KV `status/<node>/<plane>`, signed by the node."""

    node: str
    plane: str
    generation: int
    strength: str
    at: datetime
    detail: Mapping[str, str] = field(default_factory=dict)
