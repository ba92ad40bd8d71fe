"""The entry point: help without imports, errors for people, exit codes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from keepwall.cli import main as entry
from keepwall.vocabulary.errors import ConfigError, ConnectError


def keepwall(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "keepwall", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, **environment},
    )


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """What the verb `doctor` raises."""
    raised: list[BaseException] = []

    @click.command()
    def command() -> None:
        raise raised[0]

    monkeypatch.setattr(
        entry.VerbGroup, "get_command", lambda _, __, name: command if name == "doctor" else None
    )
    return raised


def test_help_imports_no_verb() -> None:
    program = (
        "import sys; from keepwall.cli.main import run; code = run(['--help']); "
        "heavy = {m for m in sys.modules if m.startswith('keepwall.cli.')} "
        "| ({'rich', 'msgspec', 'sqlalchemy', 'yaml', 'cyclonedx'} & sys.modules.keys()); "
        "print(code, sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    last = done.stdout.splitlines()[-1]
    assert last == "0 ['keepwall.cli.main', 'keepwall.cli.output']"


def test_help_lists_every_verb_that_is_there() -> None:
    shown = keepwall("--help").stdout
    there = {each.stem for each in Path(entry.__file__).parent.glob("*.py")}
    for verbs in entry.VERBS.values():
        for verb in verbs:
            assert bool(re.search(rf"^  {verb} ", shown, re.MULTILINE)) == (verb in there), verb


def test_every_verb_has_help() -> None:
    context = click.Context(entry.cli)
    for verb in entry.cli.list_commands(context):
        command = entry.cli.get_command(context, verb)
        assert command is not None, verb
        assert command.help, verb


def test_version() -> None:
    done = keepwall("--version")
    assert (done.returncode, done.stdout) == (0, "keepwall, version 0.1.0\n")


def test_no_verb_shows_the_help() -> None:
    done = keepwall()
    assert done.returncode == 2
    assert "Usage: keepwall" in done.stderr
    assert done.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["scann"], "there is no command 'scann'; did you mean 'scan'?"),
        (["xyzzy"], "there is no command 'xyzzy'; keepwall --help lists the commands"),
        (["\x1b[31m"], r"there is no command '\x1b[31m'"),
        (["--nope"], "--nope"),
        (["doctor", "--format", "xml"], "'xml' is not one of 'table', 'json'"),
    ],
)
def test_usage_errors(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.run(arguments) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.startswith("keepwall: ")
    assert message in shown.err.replace("\\\\", "\\")
    assert "\x1b" not in shown.err


@pytest.mark.parametrize(
    ("error", "code", "shown"),
    [
        (ConfigError("no", hint="try"), 2, "keepwall: no\nhint: try\n"),
        (ConnectError("gone\x1b[2J"), 3, "keepwall: gone\\x1b[2J\n"),
        (KeyboardInterrupt(), 130, "keepwall: interrupted\n"),
        (click.Abort(), 130, "keepwall: interrupted\n"),
    ],
)
def test_errors_are_told_with_their_code(
    failing: list[BaseException],
    error: BaseException,
    code: int,
    shown: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    failing.append(error)
    assert entry.run(["doctor"]) == code
    assert capsys.readouterr().err == shown


def test_the_unforeseen_leaves_a_private_traceback(
    failing: list[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    failing.append(ZeroDivisionError("by zero"))
    assert entry.run(["doctor"]) == 3
    shown = capsys.readouterr().err
    (name,) = re.findall(r"traceback is in (\S+)", shown)
    path = Path(name)
    assert "ZeroDivisionError: by zero" in path.read_text()
    assert path.stat().st_mode & 0o077 == 0
    path.unlink()
    assert entry.run(["--debug", "doctor"]) == 3
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_failure_to_talk_about() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as gone:
        done = subprocess.run(
            [sys.executable, "-m", "keepwall", "schema", "scan-result"],
            stdout=gone,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_a_full_disk_is_told() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "keepwall", "schema", "scan-result"],
            stdout=full,
            stderr=subprocess.PIPE,
            check=False,
            timeout=60,
        )
    assert b"standard output cannot be written: No space left" in done.stderr
    assert b"Traceback" not in done.stderr
    assert done.returncode == 2


def test_completion_offers_verbs() -> None:
    done = keepwall(_KEEPWALL_COMPLETE="bash_complete", COMP_WORDS="keepwall sc", COMP_CWORD="1")
    assert done.stdout.splitlines() == ["plain,scan", "plain,schema"]
