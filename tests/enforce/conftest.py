from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fenced import USERS, Stage, World, stage


@pytest.fixture(scope="session")
def readable_stage() -> Iterator[Stage]:
    with stage() as found:
        yield found


@pytest.fixture(params=USERS, ids=lambda user: f"uid{user}")
def world(request: pytest.FixtureRequest, readable_stage: Stage) -> Iterator[World]:
    with tempfile.TemporaryDirectory(prefix="kw-world-") as name:
        found = World(readable_stage, Path(name), request.param)
        found.root.chmod(0o755)
        found.prepare()
        yield found
