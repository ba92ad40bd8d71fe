"""Rescans: what changes shows soon, what does not is not recorded, what fails is said."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from keepwall.foundation.store.store import Store
from keepwall.server.rescans import Rescans

UNSAFE = "import torch\n\nweights = torch.load('w.bin', weights_only=False)\n"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(f"sqlite:///{tmp_path / 'k.db'}") as made:
        yield made


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    root.mkdir()
    (root / "app.py").write_text("import openai\n")
    return root


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.05)


def looking(store: Store, tmp_path: Path, *targets: str) -> tuple[Rescans, list[str], list[str]]:
    changed: list[str] = []
    told: list[str] = []
    where = tmp_path / "remembered"
    rescans = Rescans(store, targets, where, 0.05, changed.append, told.append)
    return rescans, changed, told


async def test_a_drift_shows_with_what_changed_since_when(store: Store, tree: Path, tmp_path: Path):
    target = str(tree.resolve())  # noqa: ASYNC240 - a test
    rescans, changed, told = looking(store, tmp_path, target)
    task = asyncio.create_task(rescans.run())
    await until(lambda: len(changed) == 1)
    (tree / "train.py").write_text(UNSAFE)
    await until(lambda: len(changed) == 2)
    await asyncio.sleep(0.5)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert len(changed) == 2  # looks that see nothing new are not recorded
    assert len(store.scans.of_target(target)) == 2
    (line,) = told
    assert "appeared" in line
    assert "finding" in line
    assert "asset" in line
    assert "since" in line


async def test_a_target_that_is_gone_is_said_and_the_others_go_on(
    store: Store, tree: Path, tmp_path: Path
):
    rescans, changed, told = looking(store, tmp_path, str(tmp_path / "nothing"), str(tree))
    task = asyncio.create_task(rescans.run())
    await until(lambda: len(told) > 1 and bool(changed))
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    assert "nothing" in told[0]
    assert changed == [str(tree)]


async def test_without_targets_there_is_nothing_to_do(store: Store, tmp_path: Path):
    rescans, _, _ = looking(store, tmp_path)
    async with asyncio.timeout(1):
        await rescans.run()
