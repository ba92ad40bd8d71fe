"""Processes of a host, from ``/proc``: proc(5)."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from keepwall.discover.host_users import read_small
from keepwall.vocabulary.fact import Unread

_SOCKET = re.compile(r"socket:\[(\d{1,20})\]$")
_MAXIMUM_PROCESSES = 65_536
_MAXIMUM_FILES = 65_536


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its command line, the user it runs as, and the sockets it holds (inodes)."""

    pid: int
    argv: tuple[str, ...]
    uid: int
    program: str
    namespace: str
    sockets: frozenset[int]
    visible: bool


@dataclass(frozen=True, slots=True)
class HostProcesses:
    """Every process with a command line, and what could not be seen of them."""

    all: tuple[Process, ...]
    unread: tuple[Unread, ...]


def read_processes(proc: Path) -> HostProcesses:
    """Return the processes; one that ends while it is read is left out."""
    try:
        pids = sorted(int(name) for name in os.listdir(proc) if name.isdecimal())  # noqa: PTH208 - names only
    except OSError as error:
        return HostProcesses((), (Unread(str(proc), f"cannot be listed: {error.strerror}"),))
    found = [each for pid in pids[:_MAXIMUM_PROCESSES] if (each := _process(proc, pid)) is not None]
    unread: list[Unread] = []
    if len(pids) > _MAXIMUM_PROCESSES:
        unread.append(Unread(str(proc), f"more than {_MAXIMUM_PROCESSES} processes"))
    hidden = sum(not each.visible for each in found)
    if hidden:
        reason = (
            f"the open files of {hidden} processes of other users may be read by root only: "
            "which of them listens on which port is partly unknown"
        )
        unread.append(Unread(str(proc / "*/fd"), reason))
    return HostProcesses(tuple(found), tuple(unread))


def _process(proc: Path, pid: int) -> Process | None:
    folder = proc / str(pid)
    argv = tuple(part for part in read_small(folder / "cmdline").rstrip("\0").split("\0"))
    if not argv or not argv[0]:
        return None  # a thread of the kernel, or gone
    uid = re.search(r"^Uid:\s+(\d+)", read_small(folder / "status"), re.MULTILINE)
    sockets = _sockets(folder / "fd")
    return Process(
        pid=pid,
        argv=argv,
        uid=int(uid[1]) if uid else -1,
        program=_link(folder / "exe"),
        namespace=_link(folder / "ns/net"),
        sockets=sockets or frozenset(),
        visible=sockets is not None,
    )


def _link(path: Path) -> str:
    try:
        return str(path.readlink())
    except OSError:
        return ""


def _sockets(folder: Path) -> frozenset[int] | None:
    """Return the inodes of the sockets that a process holds; None where that may not be seen."""
    try:
        names = os.listdir(folder)[:_MAXIMUM_FILES]  # noqa: PTH208 - names only
    except PermissionError:
        return None
    except OSError:
        return frozenset()
    links = (_link(folder / name) for name in names)
    return frozenset(int(match[1]) for link in links if (match := _SOCKET.match(link)))
