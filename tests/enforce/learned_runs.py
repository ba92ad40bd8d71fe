"""Learns a command with `keepwall run --learn`, and runs it again in what was learned."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path


def home_of(work: Path) -> Path:
    """Return the home directory of the runs that work in `work`."""
    return work.parent / "home"


def keepwall(
    arguments: Sequence[str], cwd: Path, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `keepwall run` with a home and a state directory of their own beside `cwd`."""
    return unfenced([sys.executable, "-m", "keepwall", "run", *arguments], cwd, extra)


def unfenced(
    command: Sequence[str], cwd: Path, extra: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command with a home and a state directory of their own beside `cwd`."""
    home, temporary = home_of(cwd), cwd.parent / "temporary"
    home.mkdir(exist_ok=True)
    temporary.mkdir(exist_ok=True)
    return subprocess.run(
        command,
        check=False,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        stdin=subprocess.DEVNULL,
        env={
            "PATH": os.path.dirname(sys.executable) + ":/usr/bin:/bin",
            "HOME": str(home),
            # One of its own: a rule for all of /tmp, where tests run, would hide what was not learned.
            "TMPDIR": str(temporary),
            "KEEPWALL_STATE": str(cwd.parent / "state"),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
            "LC_ALL": "C.UTF-8",
            **(extra or {}),
        },
    )


def works_as_learned(
    command: Sequence[str],
    work: Path,
    *,
    before: Callable[[], object] = lambda: None,
    extra: Mapping[str, str] | None = None,
) -> str:
    """Learn a command, then run it twice in what was learned; return what it said first.

    `before` is called before each run, to put things back to where the first one found them.
    """
    envelope = work.parent / "learned.yaml"
    before()
    learned = keepwall(["--learn", str(envelope), "--", *command], work, extra)
    assert learned.returncode == 0, learned.stderr
    for _ in range(2):
        before()
        enforced = keepwall(["--envelope", str(envelope), "--", *command], work, extra)
        assert enforced.returncode == 0, enforced.stderr + envelope.read_text()
        lines = [line for line in enforced.stderr.splitlines() if "is not in this" in line]
        refusals = [line for line in lines if "datagrams" not in line]  # never learned, and said so
        assert not refusals, "\n".join([*refusals, envelope.read_text()])
        assert enforced.stdout == learned.stdout
    return learned.stdout
