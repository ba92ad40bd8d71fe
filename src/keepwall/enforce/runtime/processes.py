"""The processes of one run: who belongs to it, who they are, and how to end them all."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from keepwall.enforce.runtime import kernel
from keepwall.vocabulary.event import Process

_PR_SET_CHILD_SUBREAPER = 36
_DEEPEST = 256
_EMPTY_LOOKS = 2
_IDENTITY = 1024
"""The first bytes of a status file, in which the name and the numbers of a task stand."""


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
    try:
        os.close(os.pidfd_open(thread))
    except OSError:  # not the first thread of a process, for which alone the kernel opens this
        return _number(thread, b"Tgid") or thread
    return thread


def parent_of(process: int) -> int:
    """Return the parent of a process, or 0."""
    return _number(process, b"PPid")


def _number(task: int, field: bytes) -> int:
    """Return one number of /proc/<task>/status, or 0 when the task is gone.

    Asked for every stopped call, so nothing else is read or taken apart. The name of a task
    stands before it and is its own choice, but never holds a line break (proc_pid_status(5)).
    """
    try:
        with open(f"/proc/{task}/status", "rb", buffering=0) as file:
            text = file.read(_IDENTITY) or b""
    except OSError:
        return 0
    return int(text.partition(b"\n" + field + b":\t")[2].partition(b"\n")[0] or 0)


@dataclass(frozen=True, slots=True)
class Rights:
    """As whom a thread acts on files."""

    user: int
    group: int
    umask: int

    @property
    def ours(self) -> bool:
        """Whether it acts as the user that the supervisor is, who may then act in its place."""
        return self.user == os.geteuid() and self.group == os.getegid()


def rights(thread: int) -> Rights:
    """Return as whom a thread acts on files.

    Raises:
        OSError: the thread is gone.
    """
    with open(f"/proc/{thread}/status", "rb", buffering=0) as file:
        lines = (file.read(_IDENTITY) or b"").split(b"\n")
    fields = dict(line.split(b":\t", 1) for line in lines if b":\t" in line)
    try:
        # the last of the four is the one for file access
        user, group = (int(fields[name].split()[3]) for name in (b"Uid", b"Gid"))
        return Rights(user, group, int(fields[b"Umask"], 8))
    except (KeyError, IndexError) as error:
        raise ProcessLookupError(errno.ESRCH, "the caller is gone") from error


def threads_of(process: int) -> int:
    """Return how many threads a process has. Raises OSError when it is gone."""
    return os.stat(f"/proc/{process}/task").st_nlink - 2


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


def duplicate(process: int, fd: int) -> int:
    """Return a duplicate of the descriptor `fd` of `process`.

    Raises:
        OSError: no such descriptor, or the process may not be looked into.
    """
    pidfd = os.pidfd_open(process)
    try:
        return kernel.call("pidfd_getfd", pidfd, fd, 0)
    finally:
        os.close(pidfd)


def has_children() -> bool:
    """Return whether the caller has any child, living or not yet waited for."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def reap_orphans(child: int) -> None:
    """Wait for adopted processes that have ended, but not for `child`, whose end others await."""
    options = os.WEXITED | os.WNOHANG
    with contextlib.suppress(ChildProcessError):
        while (found := os.waitid(os.P_ALL, 0, options | os.WNOWAIT)) and found.si_pid != child:
            os.waitid(os.P_PID, found.si_pid, options)


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


def belongs(process: int) -> bool:
    """Return whether `process` is a descendant of the caller; all of those are the run's."""
    supervisor = os.getpid()
    for _ in range(_DEEPEST):
        process = parent_of(process)
        if process == supervisor:
            return True
        if process <= 1:
            return False
    return False


def end_all(ancestor: int, *, within: float = 2.0) -> int:
    """Kill every descendant of `ancestor`; return how many were left after `within` seconds.

    It ends because no descendant can start another meanwhile: forks wait for the supervisor, which
    is here. One empty look is not enough: a process whose parent ends between two lines of it is
    overlooked once.
    """
    deadline = time.monotonic() + within
    empty, left = 0, set[int]()
    while empty < _EMPTY_LOOKS and time.monotonic() < deadline:
        left = _living(ancestor)
        empty = 0 if left else empty + 1
        for process in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(process, signal.SIGKILL)
        time.sleep(0.002 if left else 0)
    return len(left)


def _living(ancestor: int) -> set[int]:
    return {
        process
        for process in descendants(ancestor)
        if status(process).get("State", "Z")[:1] not in ("Z", "X")
    }
