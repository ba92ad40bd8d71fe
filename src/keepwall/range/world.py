"""A small world for one scenario: a home with a canary, a project, an installation."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.errors import ConfigError, ConnectError

_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that has ended."""

    code: int
    output: str
    seconds: float


class World:
    """Everything below one new directory; leaving the context ends what was started there."""

    def __init__(self) -> None:
        base = Path.home() / ".cache"
        base.mkdir(parents=True, exist_ok=True)
        self.root = Path(tempfile.mkdtemp(prefix="keepwall-range-", dir=base))
        self.home = self.root / "home"
        self.project = self.home / "project"
        self.state = StateDirectory(self.root / "state")
        self.canary = f"KEEPWALLCANARY{secrets.token_hex(8).upper()}"
        self._control: subprocess.Popen[bytes] | None = None
        for directory in (self.project, self.home / ".aws" / "sso", self.root / "tmp"):
            directory.mkdir(parents=True)
        secret = f"[default]\naws_access_key_id = {self.canary}\n"
        (self.home / ".aws" / "credentials").write_text(secret)
        (self.home / ".aws" / "sso" / "token.json").write_text(json.dumps({"token": self.canary}))

    @property
    def environment(self) -> dict[str, str]:
        """The environment of everything that is started here; nothing of the caller's secrets."""
        return {
            "HOME": str(self.home),
            "KEEPWALL_STATE": str(self.state.root),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "TMPDIR": str(self.root / "tmp"),
            "LANG": "C.UTF-8",
            "PYDEVD_DISABLE_FILE_VALIDATION": "1",
        }

    def notebook(self, name: str, **values: str) -> Path:
        """Write the notebook `name`, its cells from notebooks/<name>.cells, placeholders filled."""
        text = resources.files(__package__).joinpath(f"notebooks/{name}.cells").read_text("utf-8")
        for key, value in values.items():
            text = text.replace(f"@{key}@", value)
        cells: list[dict[str, object]] = [
            {
                "cell_type": "code",
                "execution_count": None,
                "id": f"cell-{index}",
                "metadata": {},
                "outputs": [],
                "source": cell.strip(),
            }
            for index, cell in enumerate(text.split("# %%\n")[1:])
        ]
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = self.project / f"{name}.ipynb"
        document = {
            "cells": cells,
            "metadata": {"kernelspec": kernel},
            "nbformat": 4,
            "nbformat_minor": 5,
        }
        path.write_text(json.dumps(document))
        return path

    def jupyter(self, notebook: Path) -> list[str]:
        """Return the command that runs a notebook with a real kernel.

        Raises:
            ConfigError: Jupyter is not installed beside this Python.
        """
        program = Path(sys.executable).parent / "jupyter-execute"
        if not program.exists():
            raise ConfigError(
                "this scenario runs a real notebook kernel, which is not installed",
                hint="pip install 'keepwall[range]'",
            )
        return [str(program), str(notebook)]

    def run(self, command: Sequence[str], *, timeout: float = 90.0) -> Finished:
        """Run a command in the project and return how it ended; a hang counts as code -1."""
        began = time.monotonic()
        process = subprocess.Popen(  # noqa: S603 - our own programs
            command,
            cwd=self.project,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=timeout)
            code = process.returncode
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            code = -1
        return Finished(code, output.decode("utf-8", "replace"), time.monotonic() - began)

    def keepwall(self, *arguments: str, timeout: float = 90.0) -> Finished:
        """Run a keepwall command against this world's installation."""
        return self.run([sys.executable, "-m", "keepwall", *arguments], timeout=timeout)

    def start_control_plane(self) -> None:
        """Start `keepwall up` on a free port and wait until it can be reached.

        Raises:
            ConnectError: it did not come up; the message ends with what it said.
        """
        log = self.root / "up.log"
        with log.open("wb") as file:
            self._control = subprocess.Popen(
                [sys.executable, "-m", "keepwall", "up", "--port", "0"],
                cwd=self.project,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self._control.poll() is None:
            if self.state.connection.exists() and b"Password:" in log.read_bytes():
                return
            time.sleep(0.05)
        said = log.read_text("utf-8", "replace").strip().splitlines()[-1:]
        raise ConnectError(f"the control plane did not start: {' '.join(said)}")

    def kill_control_plane(self, number: int = signal.SIGKILL) -> None:
        """End the control plane (by default as a crash would) and wait for it."""
        if self._control is not None:
            with contextlib.suppress(ProcessLookupError):
                self._control.send_signal(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._control.wait(timeout=15)
            if self._control.poll() is None:
                self._control.kill()
                self._control.wait()
            self._control = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill_control_plane(signal.SIGTERM)
        shutil.rmtree(self.root, ignore_errors=True)
