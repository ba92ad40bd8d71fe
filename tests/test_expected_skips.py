from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent

SKIPPED = """
import pytest

def test_passes():
    pass

@pytest.mark.skip(reason="no kernel here, build 7")
def test_skips():
    raise AssertionError
"""
FAILS_AS_EXPECTED = """
import pytest

@pytest.mark.xfail(reason="not built yet")
def test_fails():
    raise AssertionError
"""
WHOLE_MODULE = """
import pytest

pytest.skip("no browser", allow_module_level=True)
"""
SOCKET = """
import socket

def test_opens():
    socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
"""
REAL_SOCKET = f"""
import pytest

pytestmark = pytest.mark.real
{SOCKET}
"""


def run(folder: Path, test: str, expected: str) -> tuple[int, str]:
    shutil.copy(HERE / "conftest.py", folder)
    (folder / "expected-skips.txt").write_text(expected)
    (folder / "test_it.py").write_text(test)
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = real\n")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", folder],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("test", "nodeid", "reason"),
    [
        (SKIPPED, "test_it.py::test_skips", "no kernel here, build 7"),
        (FAILS_AS_EXPECTED, "test_it.py::test_fails", "expected to fail: not built yet"),
        (WHOLE_MODULE, "test_it.py", "no browser"),
    ],
)
def test_a_skip_that_is_not_listed_fails_the_run(
    tmp_path: Path, test: str, nodeid: str, reason: str
) -> None:
    code, output = run(tmp_path, test, "# none\n")
    assert code == 1
    assert f"skip (UNEXPECTED): {nodeid}: {reason}" in output


def test_a_listed_skip_is_printed_and_passes(tmp_path: Path) -> None:
    code, output = run(tmp_path, SKIPPED, "test_it.py::test_sk*\tno kernel here\n")
    assert code == 0
    assert "skip (expected): test_it.py::test_skips: no kernel here, build 7" in output


def test_another_reason_than_the_listed_one_fails_the_run(tmp_path: Path) -> None:
    code, _ = run(tmp_path, SKIPPED, "test_it.py::test_skips\tno network here\n")
    assert code == 1


def test_a_line_without_a_reason_is_named(tmp_path: Path) -> None:
    code, output = run(tmp_path, SKIPPED, "# header\ntest_it.py::test_skips\n")
    assert code == pytest.ExitCode.USAGE_ERROR
    assert "expected-skips.txt:2" in output


def test_a_unit_test_cannot_open_a_socket_and_a_real_one_can(tmp_path: Path) -> None:
    assert run(tmp_path, SOCKET, "")[0] == 1
    assert run(tmp_path, REAL_SOCKET, "")[0] == 0
