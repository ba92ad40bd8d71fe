"""Paths where credentials live: watched when they are read, never learned as normal."""

from __future__ import annotations

from functools import cache
from pathlib import Path

# Not by importlib.resources, which would cost a start of `keepwall run` 3 ms.
_FILE = Path(__file__).with_name("data") / "sensitive_paths.txt"


@cache
def _places() -> tuple[str, ...]:
    lines = _FILE.read_text("utf-8").splitlines()
    return tuple(line for line in lines if line and not line.startswith("#"))


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
