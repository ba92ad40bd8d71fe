from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from keepwall.enforce.runtime.resolve import (
    AT_FDCWD,
    absolute,
    in_own_words,
    is_anonymous,
    resolve,
    signed,
)

ME = os.getpid()


def real(path: str, **more: bool) -> str:
    return resolve(path, process=ME, thread=threading.get_native_id(), **more)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0, 0), (0xFFFFFF9C, -100), (2**64 - 100, -100), (0x7FFFFFFF, 2**31 - 1), (1 << 32, 0)],
)
def test_a_register_holds_an_int(value: int, expected: int):
    assert signed(value) == expected


def test_links_are_followed_as_the_kernel_would(tmp_path: Path):
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/file").write_text("x")
    (tmp_path / "link").symlink_to("a/b")
    (tmp_path / "abs").symlink_to(tmp_path / "link/../file")
    (tmp_path / "dangling").symlink_to("gone/x")
    for path in ("link", "abs", "link/../file", "./a//b/../../abs", "dangling", "link/.."):
        assert real(f"{tmp_path}/{path}") == os.path.realpath(f"{tmp_path}/{path}"), path
    assert real(f"{tmp_path}/abs", follow_last=False) == f"{tmp_path}/abs"
    assert real("/../../" + str(tmp_path)) == str(tmp_path)
    assert real("/") == "/"


def test_a_circle_of_links_ends(tmp_path: Path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert real(f"{tmp_path}/a/x").startswith(str(tmp_path))


def test_self_is_the_one_who_asks_and_not_the_one_who_looks():
    child = os.fork()
    if not child:
        os.chdir("/usr")
        signal_wait()
    try:
        found = resolve("/proc/self/cwd/lib", process=child, thread=child)
        assert found in (os.path.realpath("/usr/lib"), "/usr/lib", f"{os.getcwd()}/lib")
        assert resolve("/proc/self", process=child, thread=child) == f"/proc/{child}"
        assert resolve("/proc/thread-self", process=child, thread=child).startswith(
            f"/proc/{child}/"
        )
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def signal_wait() -> None:
    while True:
        threading.Event().wait(1)


def test_what_has_no_path_keeps_the_link_as_its_name():
    ours, theirs = os.pipe()
    try:
        path = real(f"/proc/self/fd/{ours}")
        assert path == f"/proc/{ME}/fd/{ours}"
        assert is_anonymous(path)
        assert not is_anonymous("/etc/passwd")
        assert not is_anonymous(f"/proc/{ME}/cwd")
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_relative_path_begins_where_the_thread_stands(tmp_path: Path):
    at = os.open(tmp_path, os.O_PATH)
    try:
        assert absolute(ME, at, b"x/../y") == f"{tmp_path}/x/../y"
        assert absolute(ME, at, b"") == str(tmp_path)
        assert absolute(ME, at, b"/abs") == "/abs"
        assert absolute(ME, AT_FDCWD, b"x") == f"{os.getcwd()}/x"
    finally:
        os.close(at)
    with pytest.raises(FileNotFoundError):
        absolute(ME, 999, b"x")


def test_entries_of_the_runs_own_processes_are_its_own():
    own = {7, 8}.__contains__
    assert in_own_words("/proc/7/fd/3", own) == "/proc/self/fd/3"
    assert in_own_words("/proc/8", own) == "/proc/self"
    assert in_own_words("/proc/9/mem", own) == "/proc/9/mem"
    assert in_own_words("/proc/sys/kernel", own) == "/proc/sys/kernel"
    assert in_own_words("/proc/7x/mem", own) == "/proc/7x/mem"
    assert in_own_words("/etc/passwd", own) == "/etc/passwd"
