"""Names of settings in one spelling: ``baseUrl`` and ``base_url`` are the same word."""

from __future__ import annotations

import re

_HUMP = re.compile(r"(?<=[a-z\d])(?=[A-Z])")


def snake_case(name: str) -> str:
    """Return `name` in lower case, with an underscore where a capital began a word."""
    return _HUMP.sub("_", name).lower()
