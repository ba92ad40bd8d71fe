"""No value of a credential leaves the program: not in any format, log, message or error."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from test_discover_secrets_history import Repository

from keepwall.cli.main import run
from keepwall.content.detectors import catalogue
from keepwall.content.secrets import find_secrets
from keepwall.discover.git_history import discover_history
from keepwall.vocabulary.asset import Asset, AssetKind
from keepwall.vocabulary.surface import Surface

SHOWN = 4
"""Characters of a value that its mask shows."""


def canaries() -> Iterator[tuple[str, str]]:
    """Yield each example of the catalogue with the value in it."""
    for detector in catalogue().detectors:
        for text in detector.positive:
            for match in find_secrets(text):
                yield text, text[match.start : match.end]


def notebook(texts: list[str]) -> str:
    output = {"output_type": "stream", "name": "stdout", "text": texts}
    cell = {"cell_type": "code", "execution_count": 1, "metadata": {}, "source": texts}
    return json.dumps(
        {
            "cells": [cell | {"outputs": [output]}],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
    )


@pytest.fixture
def seeded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KEEPWALL_STATE", str(tmp_path / "state"))
    target = tmp_path / "target"
    (target / "tests").mkdir(parents=True)
    texts = [text for text, _ in canaries()]
    quoted = [json.dumps(text) for text in texts]
    lines = "\n".join(texts)
    calls = "\n".join(f"client = OpenAI(api_key={text})" for text in quoted)
    (target / "app.py").write_text(f"from openai import OpenAI\n{calls}\n")
    (target / "tests/test_app.py").write_text("\n".join(f"KEY = {text}" for text in quoted))
    for name in (".env", "notes.md", "deploy.yaml", "broken.json", "run.sh", "main.tf", "app.js"):
        (target / name).write_text(lines)
    (target / "Dockerfile").write_text(
        "FROM python:3.11\n" + "\n".join(f"ENV KEY{at}={text}" for at, text in enumerate(quoted))
    )
    (target / "work.ipynb").write_text(notebook(texts))
    servers = {"a": {"command": "npx", "args": ["-y", "files", *texts], "env": {"A": texts[0]}}}
    (target / ".mcp.json").write_text(json.dumps({"mcpServers": servers}))
    return target


@pytest.mark.parametrize("name", ["table", "json", "sarif", "cyclonedx", "ocsf", "junit"])
def test_a_scan_shows_no_value_in_any_format(
    seeded: Path, name: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    out = seeded.parent / "out"
    code = run(["scan", str(seeded), "-f", name, "-o", str(out), "--fail-on", "low"])
    shown = capfd.readouterr()
    everything = out.read_text() + shown.out + shown.err + caplog.text
    assert code in (1, 3), everything[-500:]
    assert "credential" in everything or name == "cyclonedx"
    leaked = {value for _, value in canaries() if value[SHOWN:] in everything}
    assert not leaked


def test_history_shows_no_value(tmp_path: Path):
    repository = Repository(tmp_path)
    repository.commit({"a.py": "\n".join(text for text, _ in canaries()).encode()}, "first")
    repository.commit({"a.py": b""})
    holder = Asset(AssetKind.PROJECT, "claims", "claims", Surface.PIPELINE)
    seen = list(discover_history(tmp_path, holder))
    assert len(seen) > 200
    assert not {value for _, value in canaries() if value[SHOWN:] in repr(seen)}
