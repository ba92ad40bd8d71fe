"""``keepwall completion``."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from keepwall.cli.main import COMPLETE_VARIABLE, run


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script(shell: str, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["completion", shell]) == 0
    script = capfdbinary.readouterr().out
    assert COMPLETE_VARIABLE.encode() in script
    if found := shutil.which(shell):
        subprocess.run([found, "-n"], input=script, check=True, timeout=20)
