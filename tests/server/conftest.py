from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from server_samples import fill
from server_world import World, make_world

from keepwall.foundation.store.store import Store


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[World]:
    with Store.open(f"sqlite:///{tmp_path / 'keepwall.db'}") as store:
        yield make_world(store)


@pytest.fixture
def world(empty: World) -> World:
    fill(empty.store)
    return empty
