from __future__ import annotations

import json
from pathlib import Path

import pytest

from keepwall.cli.main import run
from keepwall.vocabulary.errors import ExitCode

RULE = """\
id: KW-PIP-900
title: Uses the base image of someone
severity: low
surface: pipeline
why: w
fix: f
message: "{value}"
match: {fact: dockerfile.instruction, where: {instruction: FROM, value: {starts_with: someone}}}
examples:
  failing:
    - files: {Dockerfile: "FROM someone/image:1\\n"}
  passing:
    - files: {Dockerfile: "FROM debian:12\\n"}
"""


@pytest.fixture
def rule(tmp_path: Path) -> Path:
    path = tmp_path / "rule.yaml"
    path.write_text(RULE)
    return path


def test_a_good_rule_of_a_user_passes(rule: Path, capfd: pytest.CaptureFixture[str]):
    assert run(["rules", "test", str(rule)]) == ExitCode.CLEAN
    out, err = capfd.readouterr()
    assert out == ""
    assert "1 rules tested, 0 fail" in err


def test_a_rule_that_fails_its_examples_ends_with_1(rule: Path, capfd: pytest.CaptureFixture[str]):
    rule.write_text(RULE.replace("someone/image", "another/image"))
    assert run(["rules", "test", str(rule)]) == ExitCode.FINDINGS
    assert f"{rule}:11: KW-PIP-900: the failing example does not" in capfd.readouterr().out


def test_a_broken_rule_ends_with_2_and_its_place(rule: Path, capfd: pytest.CaptureFixture[str]):
    rule.write_text(RULE.replace("severity: low", "severity: none"))
    assert run(["rules", "test", str(rule)]) == ExitCode.USAGE
    assert f"{rule}:3: 'none' is not one of" in capfd.readouterr().err


def test_list_shows_built_in_and_own_rules(rule: Path, capfd: pytest.CaptureFixture[str]):
    assert run(["rules", "list", str(rule)]) == ExitCode.CLEAN
    assert "Uses the base image of someone" in capfd.readouterr().out
    assert run(["rules", "list", "--format", "json"]) == ExitCode.CLEAN
    entries = json.loads(capfd.readouterr().out)
    assert len(entries) >= 32
    assert {"id", "title", "severity", "surface", "why", "fix", "mappings"} == set(entries[0])
