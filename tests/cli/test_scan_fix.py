"""``keepwall scan --fix``, as a user runs it."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from keepwall.cli.main import run

FLAWED = "import torch\nmodel = torch.load('m.pt', weights_only=False)\n"
MENDED = FLAWED.replace("False", "True")


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in [each for each in os.environ if each.startswith("KEEPWALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KEEPWALL_STATE", str(tmp_path / "state"))
    (tmp_path / "target").mkdir()
    monkeypatch.chdir(tmp_path)
    (tmp_path / "target" / "load.py").write_text(FLAWED)
    return Path("target")


def said(capfd: pytest.CaptureFixture[str], code: int, *arguments: str) -> tuple[str, str]:
    assert run(["scan", *arguments]) == code
    shown = capfd.readouterr()
    return shown.out, shown.err


def test_a_dry_run_prints_a_patch_and_writes_nothing(
    target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, err = said(capfd, 1, "target", "--fix", "--dry-run")
    assert out.startswith("--- a/load.py\n+++ b/load.py\n@@ -1,2 +1,2 @@\n")
    assert err == "keepwall: would mend load.py: KW-REG-001 (1)\n"
    assert (target / "load.py").read_text() == FLAWED


@pytest.mark.real
def test_the_patch_can_be_applied(target: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said(capfd, 1, "target", "--fix", "--dry-run", "-o", "fix.patch")
    command = ["git", "apply", "../fix.patch"]
    subprocess.run(command, cwd=target, check=True)
    assert (target / "load.py").read_text() == MENDED


def test_what_is_mended_is_scanned_again(target: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, err = said(capfd, 0, "target", "--fix")
    assert "Passed: nothing at or over high." in out
    assert err == "keepwall: mended load.py: KW-REG-001 (1)\n"
    assert (target / "load.py").read_text() == MENDED
    _, err = said(capfd, 0, "target", "--fix")
    assert err == "keepwall: nothing can be mended mechanically\n"


def test_what_is_left_decides_the_exit_code(
    target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (target / "other.py").write_text(
        "import torch\nf = open\n"
        "m = torch.load(f(p), weights_only=False, **dict(weights_only=False))\n"
    )
    out, _ = said(capfd, 1, "target", "--fix")
    assert "other.py:3" in out
    assert "load.py" not in out


def test_what_someone_answers_for_is_left_alone(
    target: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    day = datetime.now(UTC).date() + timedelta(days=1)
    entry = f'[[ignore]]\nrule = "KW-REG-001"\nreason = "r"\nowner = "o"\nexpires = {day}\n'
    Path("keepwall.toml").write_text(entry)
    said(capfd, 0, "target", "--fix")
    assert (target / "load.py").read_text() == FLAWED


def test_usage(target: Path, capfd: pytest.CaptureFixture[str]) -> None:
    _, err = said(capfd, 2, "target", "--dry-run")
    assert "hint: add --fix" in err
    assert (target / "load.py").read_text() == FLAWED
