"""What a scenario found: steps with what was expected and what happened."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from keepwall.vocabulary.surface import Surface


@dataclass(frozen=True, slots=True)
class Step:
    """One step: `held` says whether what was expected is what happened.

    `replay` marks the attacks that come after the path was closed.
    """

    name: str
    expected: str
    happened: str
    held: bool
    seconds: float = 0.0
    replay: bool = False


@dataclass(slots=True)
class Report:
    """The steps of one run, in order; it holds when every step does and the control run hit."""

    scenario: str
    surface: Surface
    steps: list[Step] = field(default_factory=list)
    evidence: str = ""
    """The path of the exported evidence, if it was kept."""

    @property
    def held(self) -> bool:
        """Whether there was anything to hold, and all of it held."""
        return bool(self.steps) and all(step.held for step in self.steps)


class Listens(Protocol):
    """Who is told of each step as it ends."""

    def __call__(self, step: Step) -> None:
        """Take one finished step."""
        ...


class Scenario(Protocol):
    """An attack with its defence."""

    name: str
    surface: Surface
    summary: str

    def run(self, tell: Listens, evidence: str = "") -> Report:
        """Attack, defend, attack again; export the evidence to `evidence` if it is given."""
        ...
