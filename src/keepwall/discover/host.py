"""Discover the AI on this host: processes, listening sockets, packages, users' MCP clients."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from keepwall.discover.catalogue import catalogue
from keepwall.discover.gathering import Gathering
from keepwall.discover.host_clients import observe_clients
from keepwall.discover.host_packages import observe_packages
from keepwall.discover.host_processes import HostProcesses, read_processes
from keepwall.discover.host_services import observe_services
from keepwall.discover.host_users import HostUsers, read_small, read_users
from keepwall.discover.limits import Limits
from keepwall.discover.source import TreeContext
from keepwall.vocabulary.asset import Asset, AssetKind, Location
from keepwall.vocabulary.scan import Inventory, Observation
from keepwall.vocabulary.surface import Surface

Progress = Callable[[int, str], None]


def discover_host(
    *, proc: Path = Path("/proc"), root: Path = Path("/"), progress: Progress | None = None
) -> Inventory:
    """Return the AI that runs or is installed on the host whose ``/proc`` and root these are.

    Nothing is changed and no environment of a process is read. What this user may not see (open
    files, homes of others) is named in `unread`; as root everything is seen.
    """
    users = read_users(root)
    host = _host(proc, root)
    gathering = Gathering()
    gathering.add([host])
    processes = read_processes(proc)
    gathering.add(processes.unread)
    for number, (name, part) in enumerate(_parts(host, users, processes, proc, root)):
        if progress is not None:
            progress(number, name)
        gathering.add(part)
    return gathering.inventory(files=len(processes.all), size=0)


def _parts(
    host: Asset, users: HostUsers, processes: HostProcesses, proc: Path, root: Path
) -> Iterator[tuple[str, Iterator[Observation]]]:
    known = catalogue()
    context = TreeContext(host, known, Limits(), lambda _path: "")
    yield "processes and sockets", observe_services(processes, users, proc, context)
    yield "packages", observe_packages(processes, root, context)
    yield "MCP clients", observe_clients(users, root, context)


def _host(proc: Path, root: Path) -> Asset:
    """Return the asset of the host, by its name."""
    name = read_small(proc / "sys/kernel/hostname") or read_small(root / "etc/hostname")
    release = read_small(proc / "sys/kernel/osrelease")
    name = name.strip() or "localhost"
    attributes = {"kernel": release.strip()} if release else {}
    place = (Location("/"),)
    return Asset(AssetKind.HOST, name, name, Surface.INFERENCE, place, attributes=attributes)
