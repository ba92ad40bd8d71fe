"""The six AI surfaces: every asset, rule, scenario and report row belongs to exactly one."""

from __future__ import annotations

from enum import StrEnum


class Surface(StrEnum):
    """Where in an AI system something sits."""

    NOTEBOOK = "notebook"
    DATA = "data"
    REGISTRY = "registry"
    PIPELINE = "pipeline"
    INFERENCE = "inference"
    AGENT = "agent"


class Severity(StrEnum):
    """How bad a finding, detection or incident is; ordered by `rank`."""

    INFO = "info"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 (info) to 4 (critical)."""
        return tuple(Severity).index(self)
