from __future__ import annotations

import os
from pathlib import Path

import pytest

from keepwall.decide.paths import PathSet
from keepwall.enforce.runtime import names
from keepwall.vocabulary.envelope import PathRule


def writable(*rules: str) -> PathSet:
    return PathSet.of(map(PathRule, rules), str)


def test_links_are_followed_where_the_subject_cannot_have_made_them(tmp_path: Path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "one").symlink_to("a")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    (tmp_path / "up").symlink_to("a/../one/b")
    nothing = writable()
    assert names.settled(f"{tmp_path}/two/b", nothing) == f"{tmp_path}/a/b"
    assert names.settled(f"{tmp_path}/up/x", nothing) == f"{tmp_path}/a/b/x"
    assert names.settled(f"{tmp_path}/gone/x", nothing) == f"{tmp_path}/gone/x"
    assert names.settled("/", nothing) == "/"
    # Also when only a link behind the first one may be the subject's.
    assert names.settled(f"{tmp_path}/two/b", writable(f"{tmp_path}/one")) == ""
    assert names.settled(f"{tmp_path}/two/b", writable(f"{tmp_path}/**")) == ""
    assert names.settled(f"{tmp_path}/a/b", writable(f"{tmp_path}/**")) == f"{tmp_path}/a/b"


def test_links_in_a_circle_lead_nowhere(tmp_path: Path):
    (tmp_path / "loop").symlink_to("loop")
    assert names.settled(f"{tmp_path}/loop", writable()) == ""


def test_other_names_of_what_is_denied_are_found(tmp_path: Path):
    (tmp_path / "secret").mkdir()
    (tmp_path / "open/deep").mkdir(parents=True)
    (tmp_path / "secret/key").write_text("x")
    (tmp_path / "secret/plain").write_text("x")
    os.link(tmp_path / "secret/key", tmp_path / "open/deep/alias")
    os.link(tmp_path / "secret/key", tmp_path / "secret/second")
    found = names.denied([PathRule(f"{tmp_path}/secret/**")], [f"{tmp_path}/open/**", "/nothing"])
    assert found.elsewhere == (f"{tmp_path}/open/deep/alias",)
    assert found.complete
    key = (tmp_path / "secret/key").stat()
    assert (key.st_dev, key.st_ino) in found.objects
    assert len(found.objects) == 3
    assert not names.denied([], [f"{tmp_path}/**"]).elsewhere


def test_a_tree_that_is_too_large_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for number in range(20):
        (tmp_path / str(number)).touch()
    monkeypatch.setattr(names, "_MOST_ENTRIES", 10)
    found = names.denied([PathRule(f"{tmp_path}/**")], [])
    assert not found.complete
    assert len(found.objects) == 10


def test_a_tree_that_is_mounted_twice_has_two_names(monkeypatch: pytest.MonkeyPatch):
    mounts = [
        ("8:1", "/", "/"),
        ("8:2", "/", "/data"),
        ("8:2", "/models", "/mnt/models"),
        ("8:2", "/other", "/mnt/other"),
        ("8:3", "/models", "/mnt/stranger"),
        ("8:2", "/models/secret/deep", "/mnt/deep"),
    ]
    monkeypatch.setattr(names, "_mounts", lambda: iter(mounts))
    found = names.denied([PathRule("/data/models/secret/**")], [])
    assert found.elsewhere == ("/mnt/models/secret/**",)
    assert names.denied([PathRule("/data/models/key")], []).elsewhere == ("/mnt/models/key",)


def test_the_mounts_of_this_machine_are_read():
    places = [place for _, _, place in names._mounts()]
    assert "/" in places
    assert names._plain("/a\\040b\\134c") == "/a b\\c"
