"""Processes that serve or use AI, and the sockets on which they listen."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from keepwall.discover.catalogue import Program, started_names
from keepwall.discover.containers import command_fact
from keepwall.discover.host_processes import HostProcesses, Process
from keepwall.discover.host_sockets import Listener, read_listeners
from keepwall.discover.host_users import HostUsers, read_small
from keepwall.discover.source import TreeContext, words_without_secrets
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_MAPPED = re.compile(
    r"/(?:site|dist)-packages/(torch|tensorflow|jaxlib|onnxruntime|vllm|llama_cpp)/"
)
_PYTHON = re.compile(r"python[\d.]*$")
_FORWARDERS = re.compile(
    r"(?:docker-proxy|rootlessport|conmon|slirp4netns|pasta|kubectl|ssh|node|java|python[\d.]*)$"
)


def observe_services(
    processes: HostProcesses, users: HostUsers, proc: Path, context: TreeContext
) -> Iterator[Observation]:
    """Yield the processes of AI, and what listens for them or on a port that AI servers use."""
    roles = {each.pid: role for each in processes.all if (role := _role(each, proc, context))}
    listeners = _listeners(processes, roles, proc)
    owners = {inode: each for each in processes.all for inode in each.sockets}
    ports: dict[int, set[int]] = {}
    for each in listeners:
        if each.inode in owners:
            ports.setdefault(owners[each.inode].pid, set()).add(each.port)
    seen: dict[int, Asset] = {}
    for process in processes.all:
        program = roles.get(process.pid)
        known_port = any(port in context.catalogue.ports for port in ports.get(process.pid, ()))
        if program is not None and (not program.ambiguous or known_port):
            seen[process.pid] = found = _process_asset(process, program, context)
            yield found
            yield Relation(context.project.id, RelationKind.USES, found.id)
            yield from _process_facts(process, program, found, users)
    for listener in listeners:
        owner = owners.get(listener.inode) or _likely(listener, processes, roles, context)
        yield from _endpoint(listener, owner, roles, seen, users, context)


def _role(process: Process, proc: Path, context: TreeContext) -> Program | None:
    """Return what a process is for AI: by what it starts, else by the libraries it has loaded."""
    found = context.catalogue.program(process.argv)
    if found is not None:
        return found
    if _PYTHON.match(posixpath.basename(process.program or process.argv[0])):
        match = _MAPPED.search(read_small(proc / str(process.pid) / "maps"))
        if match is not None:
            return Program(
                _program_name(process), Surface.INFERENCE, f"uses {match[1]}", ambiguous=False
            )
    return None


def _program_name(process: Process) -> str:
    names = started_names(process.argv)
    return names[-1] if names else posixpath.basename(process.program or process.argv[0])


def _process_asset(process: Process, program: Program, context: TreeContext) -> Asset:
    place = (Location(f"/proc/{process.pid}"),)
    return Asset(
        AssetKind.PROCESS,
        f"{context.project.key}/{_program_name(process)}",
        _program_name(process),
        program.surface,
        place,
        attributes={"role": program.role, "host": context.project.name},
    )


def _process_facts(
    process: Process, program: Program, found: Asset, users: HostUsers
) -> Iterator[Observation]:
    value: dict[str, JsonValue] = {
        "program": _program_name(process),
        "argv": list(words_without_secrets(process.argv)),
        "user": users.name(process.uid),
        "role": program.role,
    }
    place = Location(f"/proc/{process.pid}/cmdline")
    yield Fact("process.running", found.id, value, place.path)
    yield command_fact(process.argv, {}, "host", found, place)


def _listeners(
    processes: HostProcesses, roles: Mapping[int, Program], proc: Path
) -> list[Listener]:
    """Return the listening sockets of this network namespace and of those that run AI."""
    found = set(read_listeners(proc / "net"))
    namespaces = {each.namespace: each.pid for each in processes.all if each.pid in roles}
    for pid in list(namespaces.values())[:200]:
        found |= set(read_listeners(proc / str(pid) / "net"))
    return sorted(found)


def _likely(
    listener: Listener,
    processes: HostProcesses,
    roles: Mapping[int, Program],
    context: TreeContext,
) -> Process | None:
    """Return the process that surely holds a socket which may not be looked into.

    That is the only one of the same user whose program usually listens on this port.
    """
    usual = context.catalogue.ports.get(listener.port)
    fitting = [
        each
        for each in processes.all
        if usual and not each.visible and each.uid == listener.uid and each.pid in roles
        if roles[each.pid].name.startswith(usual[0])
    ]
    return fitting[0] if len(fitting) == 1 else None


def _forwards(process: Process) -> bool:
    """Return whether a process may stand for a server of AI without showing it."""
    return _FORWARDERS.match(posixpath.basename(process.argv[0])) is not None


def _endpoint(
    listener: Listener,
    owner: Process | None,
    roles: Mapping[int, Program],
    seen: Mapping[int, Asset],
    users: HostUsers,
    context: TreeContext,
) -> Iterator[Observation]:
    usual = context.catalogue.ports.get(listener.port)
    program = roles.get(owner.pid) if owner is not None and owner.pid in seen else None
    name = _program_name(owner) if owner is not None else ""
    if program is None and (usual is None or (owner is not None and not _forwards(owner))):
        return
    surface = program.surface if program is not None else usual[1] if usual else Surface.INFERENCE
    wildcard = listener.loopback or listener.address in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    address = context.project.key if wildcard else listener.address
    host = f"[{address}]" if ":" in address else address
    label = program.name if program is not None else usual[0] if usual else name
    endpoint = Asset(
        AssetKind.ENDPOINT,
        f"http://{host}:{listener.port}",
        f"{label} on port {listener.port}",
        surface,
        (Location(f"{listener.address}:{listener.port}"),),
        attributes={"address": listener.address, "host": context.project.name},
    )
    yield endpoint
    source = seen[owner.pid] if owner is not None and owner.pid in seen else context.project
    yield Relation(source.id, RelationKind.SERVES, endpoint.id)
    value: dict[str, JsonValue] = {
        "address": listener.address,
        "port": listener.port,
        "loopback": listener.loopback,
        "program": name,
        "pid": owner.pid if owner is not None else 0,
        "user": users.name(listener.uid),
    }
    path = f"/proc/{owner.pid}" if owner is not None else "/proc/net/tcp"
    yield Fact("endpoint.listening", endpoint.id, value, path)
