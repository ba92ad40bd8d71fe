"""Labels on data: a level that only rises, the entities found, and where they came from."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How sensitive data is; ordered by `rank`."""

    PUBLIC = "public"
    INTERNAL = "internal"
    CONFIDENTIAL = "confidential"
    RESTRICTED = "restricted"

    @property
    def rank(self) -> int:
        """0 (public) to 3 (restricted)."""
        return tuple(Level).index(self)


@dataclass(frozen=True, slots=True)
class Label:
    """What is known about some data."""

    level: Level = Level.PUBLIC
    entities: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()

    def raised(self, other: Label) -> Label:
        """Return the join: the higher level, and everything that either carries."""
        level = max(self.level, other.level, key=lambda each: each.rank)
        return Label(level, self.entities | other.entities, self.origins | other.origins)


@dataclass(frozen=True, slots=True)
class Instance:
    """The running instance that carries a label: identity, cgroup and start time."""

    identity: str
    cgroup: str
    started: int
