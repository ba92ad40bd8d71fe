"""``keepwall config show``."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from keepwall.cli.main import run

TEXT = """
fail-on = "low"
[[ignore]]
rule = "KW-NOT-001"
reason = "a \\u001b[31mtraining\\u202e notebook"
owner = "erika"
expires = 2020-06-30
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [each for each in os.environ if each.startswith("KEEPWALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_origins(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    Path("keepwall.toml").write_text(TEXT)
    monkeypatch.setenv("KEEPWALL_FORMAT", "json")
    assert run(["config", "show", "--origin"]) == 0
    rows = [line.split() for line in capfd.readouterr().out.splitlines()]
    assert ["fail-on", "low", "keepwall.toml:2"] in rows
    assert ["format", "json", "KEEPWALL_FORMAT"] in rows
    assert ["store", "-", "default"] in rows


def test_ignores_are_shown_with_their_end(capfd: pytest.CaptureFixture[str]) -> None:
    Path("keepwall.toml").write_text(TEXT)
    assert run(["config", "show"]) == 0
    out = capfd.readouterr().out
    assert "2020-06-30 (expired)" in out
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_json(capfd: pytest.CaptureFixture[str]) -> None:
    Path("keepwall.toml").write_text(TEXT)
    assert run(["config", "show", "-f", "json"]) == 0
    shown = json.loads(capfd.readouterr().out)
    assert shown["settings"]["fail-on"] == {"value": "low", "origin": "keepwall.toml:2"}
    assert shown["ignores"][0]["expires"] == "2020-06-30"


def test_a_wrong_file_names_its_line(capfd: pytest.CaptureFixture[str]) -> None:
    Path("keepwall.toml").write_text('failon = "low"\n')
    assert run(["config", "show"]) == 2
    assert capfd.readouterr().err == (
        "keepwall: keepwall.toml:1: there is no setting 'failon'\nhint: did you mean 'fail-on'?\n"
    )
