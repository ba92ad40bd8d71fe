"""The first screen of ``keepwall scan``: what exposes most, one row for what belongs together."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from rich.cells import cell_len

from keepwall.cli.main import run
from keepwall.cli.report import FIRST_SCREEN

DEMO = Path(__file__).parents[2] / "demo"
FLAWED = "import torch\nmodel = torch.load('m.pt', weights_only=False)\n"


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [each for each in os.environ if each.startswith("KEEPWALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KEEPWALL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("COLUMNS", "120")
    (tmp_path / "target").mkdir()
    monkeypatch.chdir(tmp_path)
    return Path("target")


def shown(capfd: pytest.CaptureFixture[str], *arguments: str) -> str:
    run(["scan", *arguments])
    return capfd.readouterr().out


def test_what_belongs_together_is_one_row(target: Path, capfd: pytest.CaptureFixture[str]) -> None:
    for number in range(30):
        (target / f"train_{number}.py").write_text(FLAWED)
    out = shown(capfd, "target")
    assert out.count("KW-REG-001") == 2  # the row, and the next step
    assert "and 29 more in 29 files" in out
    everything = shown(capfd, "target", "--all")
    assert everything.count("KW-REG-001") == 31
    assert "more in" not in everything


def test_tests_come_after_the_product_however_bad(
    target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (target / "tests").mkdir()
    (target / "tests" / "test_load.py").write_text(FLAWED)
    (target / "load.py").write_text("import pickle, torch\nx = pickle.load(stream)\n")
    out = shown(capfd, "target")
    assert out.index("KW-DAT-005") < out.index("KW-REG-001")
    assert "beside the product (test)" in out
    assert "Failed: 1 finding at or over high." in out


def test_the_demo_fits_a_screen_and_says_why(
    target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert target.is_dir()
    out = shown(capfd, str(DEMO))
    lines = out.splitlines()
    rows = [line for line in lines if " KW-" in line and "Next:" not in line]
    assert len(rows) == FIRST_SCREEN
    assert len(lines) <= 48
    assert max(map(cell_len, lines)) <= 120
    assert "reachable from the published port 8888" in out
    assert "add --all to see them" in out
    hidden = next(line for line in lines if line.startswith("… "))
    everything = shown(capfd, str(DEMO), "--all").splitlines()
    findings = [line for line in everything if " KW-" in line and "Next:" not in line]
    named = [line for line in lines if "more in" in line and line.startswith(" ")]
    more = sum(int(line.split()[1].replace(",", "")) for line in named)
    assert int(hidden.split()[1]) + len(rows) + more == len(findings)


def test_other_formats_keep_everything_with_its_rank(
    target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert target.is_dir()
    document = json.loads(shown(capfd, str(DEMO), "-f", "json"))
    findings = document["findings"]
    assert all(0 < each["exposure"] <= 100 for each in findings)
    sarif = json.loads(shown(capfd, str(DEMO), "-f", "sarif"))
    results = sarif["runs"][0]["results"]
    assert [each["rank"] for each in results] == [each["exposure"] for each in findings]
    assert any("reachable from" in each["properties"].get("reason", "") for each in results)
