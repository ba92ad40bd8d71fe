"""Settings: what beats what, and what a hostile target cannot do."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from keepwall.foundation.config import load_config
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.surface import Severity

IGNORE = """
[[ignore]]
rule = "KW-NOT-001"
reason = "a training notebook"
owner = "erika"
expires = 2026-06-30
"""


def write(folder: Path, text: str, name: str = "keepwall.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def test_defaults(tmp_path: Path) -> None:
    config = load_config(directory=tmp_path, environment={})
    assert config.fail_on is Severity.HIGH
    assert config.format == "table"
    assert {each.origin for each in config.settings.values()} == {"default"}


def test_flag_beats_environment_beats_file(tmp_path: Path) -> None:
    path = write(tmp_path, '# first\nfail-on = "low"\nformat = "json"\nstore = "sqlite:///f"\n')
    environment = {"KEEPWALL_FORMAT": "sarif", "KEEPWALL_STORE": "sqlite:///e"}
    config = load_config(
        {"store": "sqlite:///flag", "format": None}, directory=tmp_path, environment=environment
    )
    assert {name: (each.value, each.origin) for name, each in config.settings.items()} == {
        "fail-on": ("low", f"{path}:2"),
        "format": ("sarif", "KEEPWALL_FORMAT"),
        "store": ("sqlite:///flag", "--store"),
    }


def test_pyproject_counts_only_with_our_table(tmp_path: Path) -> None:
    path = write(tmp_path, "[project]\nname = 'x'\n", "pyproject.toml")
    assert load_config(directory=tmp_path, environment={}).file == ""
    path.write_text('[tool.keepwall]\nfail-on = "medium"\n')
    config = load_config(directory=tmp_path, environment={})
    assert config.fail_on is Severity.MEDIUM
    assert config.settings["fail-on"].origin == f"{path}:2"


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('fail-on = "high\n', 1, "not TOML"),
        ('\nfail_on = "high"\n', 2, "no setting 'fail_on'"),
        ('fail-on = "hihg"\n', 1, "cannot be 'hihg'"),
        ("fail-on = 3\n", 1, "must be text"),
        ("x = 1\ny = [[[[\n", 2, "not TOML"),
        (IGNORE.replace("rule =", "rul ="), 2, "no field 'rul'"),
        (IGNORE.replace('rule = "KW-NOT-001"', ""), 2, "rule or a fingerprint"),
        (IGNORE.replace('reason = "a training notebook"', ""), 2, "needs reason"),
        (IGNORE.replace('"erika"', '""'), 2, "needs owner"),
        (IGNORE.replace("expires = 2026-06-30", ""), 2, "needs expires"),
        (IGNORE.replace("2026-06-30", '"soon"'), 2, "must be a day"),
        (IGNORE + IGNORE.replace('"erika"', "3"), 8, "owner must be text"),
        ("ignore = 3\n", 1, "ignore entries are tables"),
    ],
)
def test_errors_name_the_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ConfigError, match=message) as caught:
        load_config(directory=tmp_path, environment={})
    assert caught.value.message.startswith(f"{path}:{line}: ")


def test_a_wrong_environment_names_the_variable(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"^KEEPWALL_FAIL_ON: fail-on"):
        load_config(directory=tmp_path, environment={"KEEPWALL_FAIL_ON": "x"})


@pytest.mark.parametrize("data", [b"\xff", b"a" * (2 << 20), b"a=" + b"[" * 100_000])
def test_hostile_files_are_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "keepwall.toml"
    path.write_bytes(data)
    with pytest.raises(ConfigError, match=r"keepwall\.toml"):
        load_config(directory=tmp_path, environment={})


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        load_config(file=tmp_path / "none.toml", environment={})


def test_ignores_are_read_with_their_place(tmp_path: Path) -> None:
    path = write(tmp_path, IGNORE)
    (ignore,) = load_config(directory=tmp_path, environment={}).ignores
    assert (ignore.rule, ignore.expires, ignore.owner) == ("KW-NOT-001", date(2026, 6, 30), "erika")
    assert ignore.place == f"{path}:2"


@pytest.mark.parametrize("below", [".", "sub/folder"])
def test_a_target_cannot_loosen_its_own_gate(tmp_path: Path, below: str) -> None:
    folder = tmp_path / below
    folder.mkdir(parents=True, exist_ok=True)
    path = write(folder, 'fail-on = "critical"\n' + IGNORE)
    left_out = load_config(directory=folder, environment={}, targets=[tmp_path])
    assert left_out.fail_on is Severity.HIGH
    assert left_out.ignores == ()
    assert left_out.untrusted == str(path)
    named = load_config(file=path, directory=folder, environment={}, targets=[tmp_path])
    assert named.fail_on is Severity.CRITICAL
    assert len(named.ignores) == 1


def test_a_link_does_not_hide_that_the_file_is_inside(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    write(tmp_path / "real", IGNORE)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    config = load_config(directory=tmp_path / "link", environment={}, targets=[tmp_path / "real"])
    assert config.ignores == ()
    assert config.untrusted


def test_a_broken_file_in_the_target_does_not_stop_the_scan(tmp_path: Path) -> None:
    write(tmp_path, "this is not toml")
    config = load_config(directory=tmp_path, environment={}, targets=[tmp_path])
    assert "keepwall.toml:1" in config.untrusted


def test_a_file_beside_the_target_counts(tmp_path: Path) -> None:
    (tmp_path / "target").mkdir()
    write(tmp_path, IGNORE)
    config = load_config(directory=tmp_path, environment={}, targets=[tmp_path / "target"])
    assert len(config.ignores) == 1
