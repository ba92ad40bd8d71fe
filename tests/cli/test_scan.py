"""``keepwall scan``, as a user runs it."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.cells import cell_len

from keepwall.cli.main import run
from keepwall.formats.scan_json import decode_scan

SECURE = "FROM python@sha256:" + "ab" * 32 + "\nUSER 1000\n"
FLAWED = "import pickle, requests\nimport torch\nmodel = torch.load('m.pt', weights_only=False)\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory beside the target, with a state directory of its own."""
    for name in [each for each in os.environ if each.startswith("KEEPWALL_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("KEEPWALL_STATE", str(tmp_path / "state"))
    (tmp_path / "work" / "target").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")
    return Path("target")


@pytest.fixture
def flawed(project: Path) -> Path:
    (project / "train.py").write_text(FLAWED)
    return project


def said(capfd: pytest.CaptureFixture[str], code: int, *arguments: str) -> tuple[str, str]:
    assert run(["scan", *arguments]) == code
    shown = capfd.readouterr()
    return shown.out, shown.err


def test_clean(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, err = said(capfd, 0, str(project))
    assert "Passed: nothing at or over high." in out
    assert err == ""


def test_findings(flawed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, err = said(capfd, 1, str(flawed))
    assert "train.py:3" in out
    assert "Next: keepwall explain KW-" in out
    assert err == ""


def test_the_bar(flawed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capfd, 0, str(flawed), "--fail-on", "critical")
    assert "Passed: nothing at or over critical." in out


def test_incomplete(project: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (project / "broken.ipynb").write_text('{"cells": [')
    out, _ = said(capfd, 3, str(project))
    assert "Not read: 1 part" in out
    assert "broken.ipynb" in out
    assert "Incomplete: nothing at or over high in what was read." in out


def test_findings_and_unread(flawed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (flawed / "broken.ipynb").write_text('{"cells": [')
    _, err = said(capfd, 1, str(flawed), "--format", "json")
    assert "keepwall: not read: broken.ipynb: " in err


@pytest.mark.parametrize("format_", ["json", "sarif", "cyclonedx", "ocsf", "junit"])
def test_formats_are_data_alone(
    flawed: Path, capfd: pytest.CaptureFixture[str], format_: str
) -> None:
    out, err = said(capfd, 1, str(flawed), "--format", format_)
    assert err == ""
    if format_ == "junit":
        root = ET.fromstring(out)  # noqa: S314 - what we wrote ourselves
        assert int(root.get("failures", "")) >= 1
    elif format_ == "ocsf":
        assert all(json.loads(line)["class_uid"] == 2003 for line in out.splitlines())
    else:
        assert json.loads(out)


def test_to_a_file(flawed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    out, _ = said(capfd, 1, str(flawed), "-f", "json", "-o", "out.json")
    assert out == ""
    assert decode_scan(Path("out.json").read_bytes()).findings


def test_baseline(flawed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    said(capfd, 1, str(flawed), "-f", "json", "-o", "before.json")
    (flawed / "train.py").write_text("# a new first line\n" + FLAWED)
    out, _ = said(capfd, 0, str(flawed), "--baseline", "before.json")
    assert "in the baseline, not counted." in out
    _, err = said(capfd, 0, str(flawed), "--baseline", "before.json", "-f", "sarif")
    assert "in the baseline and do not count" in err
    (flawed / "more.py").write_text(FLAWED)
    said(capfd, 1, str(flawed), "--baseline", "before.json")


def test_a_baseline_in_the_target_counts_but_not_quietly(
    flawed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    said(capfd, 1, str(flawed), "-f", "json", "-o", "target/before.json")
    _, err = said(capfd, 0, str(flawed), "--baseline", "target/before.json")
    assert "the baseline target/before.json lies in what is scanned" in err


@pytest.mark.parametrize("content", [None, "", "{}", '{"findings": []}'])
def test_a_baseline_that_is_none(
    flawed: Path, capfd: pytest.CaptureFixture[str], content: str | None
) -> None:
    if content is not None:
        Path("b.json").write_text(content)
    out, err = said(capfd, 2, str(flawed), "--baseline", "b.json")
    assert out == ""
    assert "hint: make one with keepwall scan --format json -o FILE" in err


def ignore(days: int) -> str:
    day = datetime.now(UTC).date() + timedelta(days=days)
    rule = "KW-REG-001"
    return f'[[ignore]]\nrule = "{rule}"\nreason = "r"\nowner = "o"\nexpires = {day}\n'


def rule_of(flawed: Path, capfd: pytest.CaptureFixture[str]) -> set[str]:
    out, _ = said(capfd, 1, str(flawed), "-f", "json")
    return {each.rule for each in decode_scan(out.encode()).findings}


def ignores(flawed: Path, capfd: pytest.CaptureFixture[str], days: int) -> str:
    rules = rule_of(flawed, capfd)
    return "".join(ignore(days).replace("KW-REG-001", each) for each in sorted(rules))


def test_an_ignore_beside_the_target_counts(
    flawed: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    Path("keepwall.toml").write_text(ignores(flawed, capfd, 1))
    out, _ = said(capfd, 0, str(flawed))
    assert "ignored by configuration." in out
    _, err = said(capfd, 0, str(flawed), "-f", "json")
    assert "ignored by keepwall.toml" in err


def test_an_expired_ignore_is_reported(flawed: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("keepwall.toml").write_text(ignores(flawed, capfd, -1))
    _, err = said(capfd, 1, str(flawed))
    assert "keepwall.toml:1: this ignore expired on" in err


def test_the_target_has_no_say(
    flawed: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = 'fail-on = "critical"\n' + ignores(flawed, capfd, 1)
    (flawed / "keepwall.toml").write_text(text)
    monkeypatch.chdir(flawed)
    _, err = said(capfd, 1, ".")
    assert "keepwall.toml lies in what is scanned" in err
    assert "its own ignores cover 1 of the findings, which count all the same" in err
    said(capfd, 0, ".", "--config", "keepwall.toml")


def test_the_store_is_used_if_it_was_made(
    flawed: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    said(capfd, 1, str(flawed))
    assert not (tmp_path / "state").exists()
    url = f"sqlite:///{tmp_path / 'other.db'}"
    out, _ = said(capfd, 1, str(flawed), "--store", url, "-f", "json")
    finding = decode_scan(out.encode()).findings[0]
    assert run(["explain", finding.fingerprint, "--store", url]) == 0
    shown = capfd.readouterr().out
    assert finding.rule in shown
    assert "open since" in shown


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "Missing argument 'TARGET...'"),
        (["nowhere"], "there is no nowhere"),
        (["kube:prod"], "come later"),
        ([".", "--format", "xml"], "'xml' is not one of"),
        ([".", "--fail-on", "HIGH!"], "'HIGH!' is not one of"),
        ([".", "-o", "missing/out.json"], "missing/out.json cannot be written"),
        ([".", "--config", "none.toml"], "none.toml: cannot be read"),
    ],
)
def test_usage(
    project: Path, capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert project.is_dir()
    out, err = said(capfd, 2, *arguments)
    assert out == ""
    assert message in err


@pytest.mark.parametrize("columns", ["80", "160"])
def test_hostile_names_cannot_steer_the_terminal(
    project: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    columns: str,
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    folder = project / ("\x1b]0;owned\x07" + "\u202e" + "日本" * 20)
    folder.mkdir()
    (folder / "\x1b[2Ka\nb.py").write_text(FLAWED)
    (project / os.fsdecode(b"m\xf6del.py")).write_text(FLAWED)
    out, err = said(capfd, 1, str(project))
    assert "\x1b" not in out + err
    assert "\u202e" not in out + err
    assert max(map(cell_len, out.splitlines())) <= int(columns)
    for format_ in ("json", "sarif", "cyclonedx", "ocsf", "junit"):
        out, _ = said(capfd, 1, str(project), "-f", format_)
        assert out.encode()
