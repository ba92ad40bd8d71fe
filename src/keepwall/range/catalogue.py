"""The scenarios that there are."""

from __future__ import annotations

from keepwall.range.notebook_token_theft import NotebookTokenTheft
from keepwall.range.report import Scenario
from keepwall.vocabulary.errors import ConfigError


def scenarios() -> tuple[Scenario, ...]:
    """Return all scenarios, by name."""
    return (NotebookTokenTheft(),)


def find(name: str) -> Scenario:
    """Return the scenario of this name.

    Raises:
        ConfigError: there is none.
    """
    for scenario in scenarios():
        if scenario.name == name:
            return scenario
    raise ConfigError(f"there is no scenario {name!r}", hint="keepwall range list shows them")
