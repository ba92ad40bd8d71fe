"""The GitHub Action and the hook for pre-commit, run as their hosts run them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTION = ROOT / "deploy/github-action"
KEEPWALL = Path(sys.executable).with_name("keepwall")
UNSAFE = "import torch\ntorch.load('w.bin', weights_only=False)\n"

pytestmark = pytest.mark.real


def tool(name: str, *arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name(name)
    return run([str(program), *arguments], cwd or ROOT)


def run(command: Sequence[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    made = tmp_path / "workspace"
    made.mkdir()
    (tmp_path / "temp").mkdir()
    return made


def act(workspace: Path, **inputs: str) -> tuple[subprocess.CompletedProcess[str], dict[str, str]]:
    """Run the step of the action that scans, and return what it gave out."""
    temp = workspace.parent / "temp"
    finished = run(
        ["bash", str(ACTION / "scan.sh")],
        workspace,
        KEEPWALL_PROGRAM=str(KEEPWALL),
        RUNNER_TEMP=str(temp),
        GITHUB_OUTPUT=str(temp / "output"),
        GITHUB_STEP_SUMMARY=str(temp / "summary.md"),
        **{"KEEPWALL_PATH": ".", "KEEPWALL_FAIL": "high", **inputs},
        **{name: "" for name in ("KEEPWALL_BASELINE", "KEEPWALL_TRUSTED") if name not in inputs},
    )
    lines = (temp / "output").read_text().splitlines()
    return finished, dict(line.split("=", 1) for line in lines)


def test_the_action_is_one_that_github_takes():
    schema = ("--builtin-schema", "vendor.github-actions")
    assert tool("check-jsonschema", *schema, str(ACTION / "action.yml")).returncode == 0


def test_inputs_never_become_text_of_a_script():
    steps = yaml.safe_load((ACTION / "action.yml").read_text())["runs"]["steps"]
    assert len(steps) == 2
    assert not [step for step in steps if "${{" in step["run"]]


def test_a_repository_with_findings_fails_and_says_why(workspace: Path):
    (workspace / "train.py").write_text(UNSAFE)
    finished, outputs = act(workspace)
    assert finished.returncode == 1, finished.stderr
    assert outputs["exit-code"] == "1"
    results = json.loads(Path(outputs["sarif"]).read_text())["runs"][0]["results"]
    assert results
    assert "train.py" in finished.stdout
    summary = (workspace.parent / "temp/summary.md").read_text()
    assert "train.py" in summary


def test_a_clean_repository_passes(workspace: Path):
    (workspace / "app.py").write_text("print('no AI here')\n")
    finished, outputs = act(workspace)
    assert finished.returncode == 0, finished.stdout + finished.stderr
    assert outputs["exit-code"] == "0"


def test_a_path_that_looks_like_an_option_is_a_path(workspace: Path):
    (workspace / "--help").mkdir()
    (workspace / "--help/train.py").write_text(UNSAFE)
    finished, _ = act(workspace, KEEPWALL_PATH="--help")
    assert finished.returncode == 1, finished.stdout + finished.stderr


def test_names_in_the_repository_give_the_runner_no_commands(workspace: Path):
    (workspace / "::add-path::x").mkdir()
    (workspace / "::add-path::x/train.py").write_text(UNSAFE)
    finished, _ = act(workspace)
    printed = finished.stdout
    found = re.search(r"^::stop-commands::(\w{32})$", printed, re.MULTILINE)
    assert found
    assert printed.rstrip().endswith(f"::{found[1]}::")
    summary = (workspace.parent / "temp/summary.md").read_text().splitlines()[2:]
    assert all(line.startswith("    ") for line in summary)


def test_the_hook_stops_a_commit_and_lets_another_pass(workspace: Path):
    manifest = ROOT / ".pre-commit-hooks.yaml"
    assert tool("pre-commit", "validate-manifest", str(manifest)).returncode == 0
    (hook,) = yaml.safe_load(manifest.read_text())
    # As pre-commit installs it, but for the environment: that is the one under test.
    local = {
        **hook,
        "language": "system",
        "entry": hook["entry"].replace("keepwall", str(KEEPWALL)),
    }
    config = {"repos": [{"repo": "local", "hooks": [local]}]}
    (workspace / ".pre-commit-config.yaml").write_text(yaml.safe_dump(config))
    (workspace / "train.py").write_text(UNSAFE)
    (workspace / "--help").write_text("nothing\n")
    assert run(["git", "init", "--quiet"], workspace).returncode == 0
    assert run(["git", "add", "."], workspace).returncode == 0
    stopped = tool("pre-commit", "run", cwd=workspace)
    assert stopped.returncode == 1
    assert "train.py" in stopped.stdout
    (workspace / "train.py").write_text("import torch\n")
    run(["git", "add", "."], workspace)
    passed = tool("pre-commit", "run", cwd=workspace)
    assert passed.returncode == 0, passed.stdout
