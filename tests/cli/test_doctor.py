"""``keepwall doctor``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keepwall.cli.doctor import State, examine
from keepwall.cli.main import run
from keepwall.enforce.runtime.landlock import abi_version
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.store.store import Store

PARTS = ["python", "platform", "kernel", "landlock", "seccomp", "store", "bus", "ledger", "console"]

pytestmark = pytest.mark.real  # asks whether the console's port answers


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StateDirectory:
    monkeypatch.setenv("KEEPWALL_STATE", str(tmp_path / "state"))
    return StateDirectory.default()


def test_every_part_has_a_line(state: StateDirectory, capfd: pytest.CaptureFixture[str]) -> None:
    checks = list(examine(state))
    assert [each.name for each in checks] == PARTS
    absent = any(each.state is State.ABSENT for each in checks)
    assert run(["doctor"]) == (3 if absent else 0)
    shown = [line.split()[0] for line in capfd.readouterr().out.splitlines() if line[0] != " "]
    assert shown == ["part", *PARTS]
    assert not state.root.exists(), "a doctor changes nothing"


def test_json(state: StateDirectory, capfd: pytest.CaptureFixture[str]) -> None:
    run(["doctor", "-f", "json"])
    checks = {each["name"]: each for each in json.loads(capfd.readouterr().out)["checks"]}
    assert list(checks) == PARTS
    assert (checks["landlock"]["state"] == "absent") == (abi_version() == 0)
    assert not state.root.exists()


def test_a_damaged_store_is_absent(
    state: StateDirectory, capfd: pytest.CaptureFixture[str]
) -> None:
    state.ensure()
    (state.root / "keepwall.db").write_bytes(b"this is no database" * 100)
    assert run(["doctor"]) == 3
    assert "it cannot be used" in capfd.readouterr().out


def test_a_store_is_counted(state: StateDirectory) -> None:
    state.ensure()
    Store.open(state.database_url).close()
    (store,) = (each for each in examine(state) if each.name == "store")
    assert store.state is State.OK
    assert store.found.endswith("keepwall.db, 0 scans")
