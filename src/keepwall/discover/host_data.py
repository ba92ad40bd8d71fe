"""What is known of running AI: the data files that only a host needs."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Any


@cache
def host_data(name: str) -> Mapping[str, Any]:
    """Return the data file ``<name>.toml``; it is not changed, so it is loaded once."""
    file = resources.files("keepwall.discover").joinpath("data", f"{name}.toml")
    return tomllib.loads(file.read_text("utf-8"))
