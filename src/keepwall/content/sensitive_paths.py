"""Paths where credentials live: watched when they are read, never learned as normal."""

from __future__ import annotations

from functools import cache
from importlib import resources


@cache
def _places() -> tuple[str, ...]:
    text = resources.files(__package__).joinpath("data/sensitive_paths.txt").read_text("utf-8")
    return tuple(line for line in text.splitlines() if line and not line.startswith("#"))


def is_sensitive(path: str) -> bool:
    """Return whether an absolute path is, or lies below, a place that holds credentials."""
    slashed = path + "/"
    return any(
        place in slashed if place.endswith("/") else path.endswith(place) for place in _places()
    )


def place_of(path: str) -> str:
    """Return the rule path of the place that holds `path`: its tree, or the path itself."""
    slashed = path + "/"
    for place in _places():
        if place.endswith("/") and (at := slashed.find(place)) >= 0:
            return slashed[: at + len(place)] + "**"
    return path
