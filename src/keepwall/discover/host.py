"""Discover the AI on this host: what runs, listens and answers, what is installed and kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from keepwall.discover.catalogue import catalogue
from keepwall.discover.gathering import Gathering
from keepwall.discover.host_accelerators import accelerators, observe_accelerators
from keepwall.discover.host_caches import observe_caches
from keepwall.discover.host_clients import observe_clients
from keepwall.discover.host_containers import Containers
from keepwall.discover.host_cron import observe_cron
from keepwall.discover.host_endpoints import endpoints, observe_endpoints
from keepwall.discover.host_listening import container_of, listening
from keepwall.discover.host_packages import observe_packages
from keepwall.discover.host_probe import Ask
from keepwall.discover.host_processes import read_processes
from keepwall.discover.host_roles import Role
from keepwall.discover.host_services import ProcessAssets, running_roles
from keepwall.discover.host_units import observe_units
from keepwall.discover.host_users import read_small, read_users
from keepwall.discover.host_view import HostView
from keepwall.discover.limits import Limits
from keepwall.discover.process_environments import observe_environments
from keepwall.discover.source import TreeContext
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.scan import Inventory, Observation
from keepwall.vocabulary.surface import Surface

Progress = Callable[[int, str], None]
_SECONDS = 30.0
_IN_CONTAINER = (".dockerenv", "run/.containerenv")


def discover_host(
    *,
    proc: Path = Path("/proc"),
    root: Path = Path("/"),
    ask: Ask | None = None,
    progress: Progress | None = None,
) -> Inventory:
    """Return the AI that runs or is installed on the host whose ``/proc`` and root these are.

    With `ask`, each server of AI is asked once whether it answers without credentials
    (`host_probe.ask` does so). Nothing is changed, run or imported. What this user may not see is
    named in `unread`; as root everything is seen. It ends within half a minute, and names what it
    had no time for.
    """
    users = read_users(root)
    processes = read_processes(proc)
    context = TreeContext(_host(proc, root), catalogue(), Limits(), lambda _path: "")
    view = HostView(proc, root, users, processes, context, time.monotonic() + _SECONDS)
    gathering = Gathering()
    gathering.add([view.host, *users.unread, *processes.unread])
    for number, (name, part) in enumerate(_parts(view, ask)):
        if progress is not None:
            progress(number, name)
        gathering.add(part)
    return gathering.inventory(files=len(processes.all), size=0)


def _parts(view: HostView, ask: Ask | None) -> Iterator[tuple[str, Iterable[Observation]]]:
    devices = accelerators(view)
    yield "accelerators", observe_accelerators(view, devices)
    roles, unread = running_roles(view)
    yield "processes", unread
    containers = Containers(view)
    inside = _containers(view, roles)
    yield "containers", containers.observe(frozenset(inside.values()))
    found = endpoints(view, list(listening(view, roles, containers.published)), ask)
    assets = ProcessAssets(view, roles, devices)
    owners = frozenset(each.socket.owner.pid for each in found if each.socket.owner is not None)
    yield "processes", assets.observe(owners)
    yield "endpoints", observe_endpoints(view, found, assets.seen)
    yield "containers", _contained(inside, containers, assets)
    yield "units", observe_units(view)
    yield "cron", observe_cron(view)
    found_there = observe_environments(view.processes, view.proc, view.host)
    yield "environments", _as_known(found_there, assets.seen)
    yield "clients", observe_clients(view)
    yield "caches", observe_caches(view, frozenset(assets.seen))
    yield "packages", observe_packages(view)


def _containers(view: HostView, roles: dict[int, Role]) -> dict[int, str]:
    """Return the containers in which processes of AI run, by their numbers."""
    found = (
        (each.pid, container_of(each, view)) for each in view.processes.all if each.pid in roles
    )
    return {pid: identity for pid, identity in found if identity}


def _contained(
    inside: dict[int, str], containers: Containers, assets: ProcessAssets
) -> Iterator[Observation]:
    for pid, identity in inside.items():
        workload, process = containers.workloads.get(identity), assets.seen.get(pid)
        if workload is not None and process is not None:
            yield Relation(workload.id, RelationKind.USES, process.id)


def _as_known(found: Iterable[Observation], seen: Mapping[int, Asset]) -> Iterator[Observation]:
    """Yield what environments hold; a process that is an asset already stays that one asset."""
    same: dict[str, str] = {}
    for each in found:
        if isinstance(each, Asset) and each.kind is AssetKind.PROCESS:
            pid = each.locations[0].path.rpartition("/")[2]
            known = seen.get(int(pid)) if pid.isdecimal() else None
            same[each.id] = known.id if known is not None else each.id
            yield known or each
        elif isinstance(each, Fact):
            yield replace(each, asset=same.get(each.asset, each.asset))
        else:
            yield each


def _host(proc: Path, root: Path) -> Asset:
    """Return the asset of the host, by its name."""
    name = read_small(proc / "sys/kernel/hostname") or read_small(root / "etc/hostname")
    release = read_small(proc / "sys/kernel/osrelease").strip()
    name = name.strip() or "localhost"
    attributes = {"kernel": release} if release else {}
    if any((root / each).exists() for each in _IN_CONTAINER):
        attributes["inside"] = "a container: what runs beside it is not seen"
    place = (Location("/"),)
    return Asset(AssetKind.HOST, name, name, Surface.INFERENCE, place, attributes=attributes)
