"""The scenarios, played as a user plays them: real kernel, real Jupyter, real control plane."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]


def test_notebook_token_theft_is_stopped_and_cannot_be_replayed(tmp_path: Path) -> None:
    evidence = tmp_path / "evidence.bundle"
    command = [sys.executable, "-m", "keepwall", "range", "run", "notebook-token-theft"]
    finished = subprocess.run(
        [*command, "-f", "json", "--evidence", str(evidence)],
        capture_output=True,
        check=False,
        timeout=280,
    )
    report = json.loads(finished.stdout)
    failed = [step for step in report["steps"] if not step["held"]]
    assert not failed
    assert len(report["steps"]) == 13
    assert finished.returncode == 0
    assert evidence.stat().st_size > 0
