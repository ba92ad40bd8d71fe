"""Processes of a host, from ``/proc``: proc(5)."""

from __future__ import annotations

import os
import posixpath
import re
from dataclasses import dataclass
from pathlib import Path

from keepwall.discover.host_users import read_small
from keepwall.vocabulary.fact import Unread

_SOCKET = re.compile(r"socket:\[(\d{1,20})\]$")
_DEVICES = re.compile(
    r"/dev/(?:nvidia\d+|nvidia-uvm|kfd|dri/renderD\d+|accel/?accel\d+|neuron\d+)$"
)
_UID = re.compile(r"^Uid:\s+(\d{1,10})", re.MULTILINE)
_HIDEPID = re.compile(r"^proc \S+ proc \S*hidepid=(\w+)", re.MULTILINE)
_MOST_PROCESSES = 65_536
_MOST_FILES = 65_536
_COMMAND_BYTES = 32 << 10
_STARTED, _PARENT = 19, 1  # fields of stat after the name


@dataclass(frozen=True, slots=True)
class Process:
    """A process: its command line, the user it runs as, and the sockets it holds (inodes).

    `visible` says whether its open files could be seen, `devices` which accelerators are open;
    `started` (ticks since boot) tells it from a later one with the same number.
    """

    pid: int
    argv: tuple[str, ...]
    uid: int
    program: str
    namespace: str
    sockets: frozenset[int]
    visible: bool
    parent: int = 0
    started: int = 0
    devices: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HostProcesses:
    """Every process with a command line, and what could not be seen of them."""

    all: tuple[Process, ...]
    unread: tuple[Unread, ...]
    namespace: str = ""
    """The network namespace of whoever looks."""


def read_processes(proc: Path) -> HostProcesses:
    """Return the processes; one that ends while it is read is left out."""
    try:
        pids = sorted(
            int(name)
            for name in os.listdir(proc)  # noqa: PTH208 - names only
            if name.isdecimal() and len(name) < 11  # noqa: PLR2004 - no number of a process
        )
    except OSError as error:
        return HostProcesses((), (Unread(str(proc), f"cannot be listed: {error.strerror}"),))
    found: list[Process] = []
    untold = 0
    for pid in pids[:_MOST_PROCESSES]:
        process = _process(proc, pid)
        if isinstance(process, Process):
            found.append(process)
        untold += process is False
    unread = _unseen(proc, found, untold)
    if len(pids) > _MOST_PROCESSES:
        unread.append(Unread(str(proc), f"more than {_MOST_PROCESSES} processes"))
    return HostProcesses(tuple(found), tuple(unread), _link(proc / "self/ns/net"))


def _unseen(proc: Path, found: list[Process], untold: int) -> list[Unread]:
    """Return what the rights of this user, and how ``/proc`` is mounted, keep hidden."""
    unread: list[Unread] = []
    hiding = _HIDEPID.search(read_small(proc / "self/mounts"))
    if hiding is not None and hiding[1] not in ("0", "off") and os.geteuid() != 0:
        reason = f"mounted with hidepid={hiding[1]}: processes of other users are not shown"
        unread.append(Unread(str(proc), reason))
    elif untold:
        reason = f"the command lines of {untold} processes may be read by their users and root only"
        unread.append(Unread(str(proc / "*/cmdline"), reason))
    hidden = sum(not each.visible for each in found)
    if hidden:
        reason = (
            f"the open files of {hidden} processes may be read by their users and root only: "
            "which of them listens on which port is partly unknown"
        )
        unread.append(Unread(str(proc / "*/fd"), reason))
    return unread


def _process(proc: Path, pid: int) -> Process | bool:
    """Return a process; True where there is none to tell of, False where it may not be read."""
    folder = proc / str(pid)
    before = _stat(folder)
    text = read_small(folder / "cmdline", _COMMAND_BYTES)
    argv = tuple(text.rstrip("\0").split("\0"))
    if not argv[0]:
        # A thread of the kernel, gone, or hidden by how /proc is mounted.
        return not folder.is_dir() or os.access(folder / "cmdline", os.R_OK)
    uid = _UID.search(read_small(folder / "status"))
    sockets, devices = _open(folder / "fd") or (frozenset[int](), None)
    process = Process(
        pid=pid,
        argv=argv,
        uid=int(uid[1]) if uid else -1,
        program=_link(folder / "exe"),
        namespace=_link(folder / "ns/net"),
        sockets=sockets,
        visible=devices is not None,
        parent=before[0],
        started=before[1],
        devices=devices or frozenset(),
    )
    return process if _stat(folder)[1] == before[1] else True  # another took its number


def _stat(folder: Path) -> tuple[int, int]:
    """Return the parent and the start time of a process; the name before may hold anything."""
    fields = read_small(folder / "stat").rpartition(")")[2].split()
    if len(fields) <= _STARTED or not (fields[_PARENT] + fields[_STARTED]).isdecimal():
        return 0, 0
    return int(fields[_PARENT]), int(fields[_STARTED])


def _link(path: Path) -> str:
    try:
        return str(path.readlink()).removesuffix(" (deleted)")
    except OSError:
        return ""


def _open(folder: Path) -> tuple[frozenset[int], frozenset[str]] | None:
    """Return the inodes of sockets and the accelerators that a process has open.

    None stands for files that may not be seen.
    """
    try:
        names = os.listdir(folder)[:_MOST_FILES]  # noqa: PTH208 - names only
    except PermissionError:
        return None
    except OSError:
        return frozenset(), frozenset()
    links = [_link(folder / name) for name in names]
    sockets = frozenset(int(match[1]) for link in links if (match := _SOCKET.match(link)))
    return sockets, frozenset(link for link in links if _DEVICES.match(link))


def base_name(process: Process) -> str:
    """Return the name of the program file of a process."""
    return posixpath.basename(process.program or process.argv[0])
