"""Where output goes."""

from __future__ import annotations

import os
import pty
from pathlib import Path

import pytest

from keepwall.cli import output
from keepwall.vocabulary.errors import ConfigError


def test_a_file_is_replaced_as_a_whole_and_keeps_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    path.write_text("old")
    path.chmod(0o640)
    output.emit(b"new", path)
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [each.name for each in tmp_path.iterdir()] == ["out.json"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    output.emit(b"new", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_bytes() == b"new"


def test_a_new_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        output.emit(b"x", tmp_path / "new")
    finally:
        os.umask(before)
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_not_replaced() -> None:
    output.emit(b"x", Path("/dev/null"))
    assert Path("/dev/null").is_char_device()


def test_what_cannot_be_written_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written: No such file"):
        output.emit(b"x", tmp_path / "missing" / "out")


def test_notes_cannot_steer_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    output.note("a\x1b[2J\nb")
    assert capsys.readouterr().err == "keepwall: a\\x1b[2J\\nb\n"


def test_progress_is_silent_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with output.progress() as tell:
        tell("working")
    assert capsys.readouterr() == ("", "")


def test_progress_on_a_terminal_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(theirs, "w") as terminal:
        monkeypatch.setattr("sys.stderr", terminal)
        with output.progress() as tell:
            tell("reading \x1b[31m" + "x" * 500)
        shown = ""
        while not shown.endswith("\r\x1b[2K") or shown.count("\r") < 2:
            shown += os.read(ours, 4096).decode()
    os.close(ours)
    assert shown.startswith("\r\x1b[2Kreading \\x1b[31mxxx")
    assert shown.endswith("\r\x1b[2K")
    assert len(shown) < 200


@pytest.mark.parametrize("variable", [{"NO_COLOR": "1"}, {"TERM": "dumb"}])
def test_colour_can_be_refused(monkeypatch: pytest.MonkeyPatch, variable: dict[str, str]) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert output.color_wanted()
    for name, value in variable.items():
        monkeypatch.setenv(name, value)
    assert not output.color_wanted()
