"""The processes of one run: who belongs to it, who they are, and how to end them all."""

from __future__ import annotations

import contextlib
import os
import pwd
import signal
import time
from pathlib import Path

from keepwall.enforce.runtime import kernel
from keepwall.vocabulary.event import Process

_PR_SET_CHILD_SUBREAPER = 36


def adopt_orphans() -> None:
    """Make the caller the parent of every orphaned descendant, so that none gets away."""
    kernel.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def status(task: int) -> dict[str, str]:
    """Return the fields of /proc/<task>/status; empty when the task is gone."""
    try:
        text = Path(f"/proc/{task}/status").read_text("utf-8", "replace")
    except OSError:
        return {}
    pairs = (line.partition(":\t") for line in text.splitlines())
    return {name: value.strip() for name, _, value in pairs}


def group_of(thread: int) -> int:
    """Return the process that a thread belongs to, or the thread itself when it is gone."""
    return int(status(thread).get("Tgid", thread))


def parent_of(process: int) -> int:
    """Return the parent of a process, or 0."""
    return int(status(process).get("PPid", 0))


def describe(process: int) -> Process:
    """Return who a process is; fields stay empty when it is gone meanwhile."""
    path = command = user = ""
    started = 0
    with contextlib.suppress(OSError):
        path = os.readlink(f"/proc/{process}/exe")
    with contextlib.suppress(OSError):
        raw = Path(f"/proc/{process}/cmdline").read_bytes()[:512]
        command = raw.replace(b"\0", b" ").decode("utf-8", "replace").strip()
    with contextlib.suppress(OSError, KeyError):
        user = pwd.getpwuid(Path(f"/proc/{process}").stat().st_uid).pw_name
    with contextlib.suppress(OSError, IndexError):
        fields = Path(f"/proc/{process}/stat").read_text("utf-8", "replace").rpartition(")")[2]
        started = int(fields.split()[19])
    return Process(process, path, command, user, started)


def descendants(ancestor: int) -> set[int]:
    """Return every living process below `ancestor`."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            children.setdefault(parent_of(int(entry)), []).append(int(entry))
    found: set[int] = set()
    todo = [ancestor]
    while todo:
        for child in children.get(todo.pop(), []):
            if child not in found:
                found.add(child)
                todo.append(child)
    return found


def belongs(process: int, ancestor: int) -> bool:
    """Return whether `process` is `ancestor`'s or a descendant of it."""
    for _ in range(64):
        if process == ancestor:
            return True
        if process <= 1:
            return False
        process = parent_of(process)
    return False


def end_all(ancestor: int, *, within: float = 2.0) -> int:
    """Kill every descendant of `ancestor`; return how many were left after `within` seconds.

    All are stopped before any is killed, so that none can start another in the meantime.
    """
    deadline = time.monotonic() + within
    while (left := _living(ancestor)) and time.monotonic() < deadline:
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in left:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(process, number)
        time.sleep(0.005)
    return len(left)


def _living(ancestor: int) -> set[int]:
    return {
        process
        for process in descendants(ancestor)
        if status(process).get("State", "Z")[:1] not in ("Z", "X")
    }
