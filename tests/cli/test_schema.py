"""``keepwall schema``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from keepwall.cli.main import run

SCHEMAS = Path(__file__).parents[2] / "schemas"


def test_list(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "--list"]) == 0
    assert capfd.readouterr().out.split() == sorted(each.stem for each in SCHEMAS.glob("*.json"))


def test_print(capfd: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "finding"]) == 0
    assert json.loads(capfd.readouterr().out) == json.loads((SCHEMAS / "finding.json").read_text())


def test_to_a_file(tmp_path: Path) -> None:
    assert run(["schema", "finding", "-o", str(tmp_path / "f.json")]) == 0
    assert (tmp_path / "f.json").read_bytes() == (SCHEMAS / "finding.json").read_bytes()
    assert [each.name for each in tmp_path.iterdir()] == ["f.json"]


@pytest.mark.parametrize("arguments", [["schema"], ["schema", "nope"]])
def test_errors(arguments: list[str], capfd: pytest.CaptureFixture[str]) -> None:
    assert run(arguments) == 2
    assert "keepwall schema --list" in capfd.readouterr().err
