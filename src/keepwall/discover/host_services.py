"""Processes that serve or use AI: who runs them, what they are, and which GPU they have open."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from keepwall.discover.containers import command_fact
from keepwall.discover.host_accelerators import Accelerator
from keepwall.discover.host_processes import Process
from keepwall.discover.host_roles import CLIENT, SERVER, Role, command_words, process_role
from keepwall.discover.host_view import HostView
from keepwall.discover.service_index import Service
from keepwall.discover.services import service_used
from keepwall.discover.source import words_without_secrets
from keepwall.formats.mcp_client import described_server, fetched_package
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_LAUNCHERS = frozenset(
    {"sh", "bash", "dash", "zsh", "npm", "npx", "node", "uv", "uvx", "sudo", "env", "tini"}
)
_SHOWN_WORDS, _SHOWN_WORD = 60, 500
_MOST_PLACES = 20
_ANCESTORS = 5


def running_roles(view: HostView) -> tuple[dict[int, Role], list[Unread]]:
    """Return what each process is for AI, by its number; launchers of another one are left out."""
    roles: dict[int, Role] = {}
    for number, process in enumerate(view.processes.all):
        if view.late:
            left = len(view.processes.all) - number
            return roles, [Unread(str(view.proc), f"{left} processes: there was no time left")]
        role = process_role(process, view)
        if role is not None:
            roles[process.pid] = role
    by_pid = {each.pid: each for each in view.processes.all}
    for pid in sorted(roles):
        parent = by_pid.get(by_pid[pid].parent)
        above = roles.get(parent.pid) if parent is not None else None
        if parent is not None and above is not None and _launches(parent, above, roles[pid]):
            del roles[parent.pid]
    return roles, []


def _launches(parent: Process, above: Role, role: Role) -> bool:
    first = posixpath.basename(command_words(parent.argv)[0])
    same = above.program == role.program or above.role == role.role == SERVER
    return same and first in _LAUNCHERS


@dataclass(slots=True)
class ProcessAssets:
    """The assets of the processes of AI; what instances of one program share is told once."""

    view: HostView
    roles: Mapping[int, Role]
    accelerators: Sequence[Accelerator] = ()
    seen: dict[int, Asset] = field(default_factory=dict)
    _told: dict[tuple[str, tuple[str, ...], int], int] = field(default_factory=dict)

    def observe(self, pids: frozenset[int]) -> Iterator[Observation]:
        """Yield the processes of AI; of ambiguous ones those in `pids`."""
        for process in self.view.processes.all:
            role = self.roles.get(process.pid)
            if role is not None and (not role.ambiguous or process.pid in pids):
                yield from self._process(process, role)
        for process in self.view.processes.all:
            if process.pid in self.seen and self.roles[process.pid].role == SERVER:
                yield from self._server(process)

    def _process(self, process: Process, role: Role) -> Iterator[Observation]:
        place = Location(f"/proc/{process.pid}/cmdline")
        key = f"{self.view.host.key}/{role.name}"
        attributes = {"role": role.role, "host": self.view.host.name}
        found = Asset(
            AssetKind.PROCESS, key, role.name, role.surface, (place,), attributes=attributes
        )
        self.seen[process.pid] = found
        mark = (role.name, process.argv, process.uid)
        times = self._told[mark] = self._told.get(mark, 0) + 1
        if times <= _MOST_PLACES:
            yield found
        for each in self.accelerators:
            if process.devices & each.devices:
                yield Relation(found.id, RelationKind.USES, each.asset.id)
        if times == 1:
            yield Relation(self.view.host.id, RelationKind.USES, found.id)
            yield from self._facts(process, role, found, place)

    def _facts(
        self, process: Process, role: Role, found: Asset, place: Location
    ) -> Iterator[Observation]:
        words = [word[:_SHOWN_WORD] for word in process.argv[:_SHOWN_WORDS]]
        value: dict[str, JsonValue] = {
            "program": role.name,
            "argv": [visible(word) for word in words_without_secrets(words)],
            "user": self.view.users.name(process.uid),
            "role": role.role,
        }
        yield Fact("process.running", found.id, value, place.path)
        index = self.view.context.catalogue.services
        if role.role == CLIENT:
            for service in index.started([role.program]):
                yield from service_used(service, "call", found, place, self.view.context)
            return
        if role.program == "postgres":
            service = Service(AssetKind.VECTOR_STORE, "pgvector")
            yield from service_used(service, "program", found, place, self.view.context)
        yield command_fact([visible(word) for word in words], {}, "host", found, place)

    def _server(self, process: Process) -> Iterator[Observation]:
        """Yield the MCP server that a process is, by its package, and the agent that started it."""
        by_pid = {each.pid: each for each in self.view.processes.all}
        chain = [process]
        while len(chain) < _ANCESTORS and (parent := by_pid.get(chain[-1].parent)) is not None:
            chain.append(parent)
        name = self.roles[process.pid].name
        words = next(filter(None, (_fetching(each.argv) for each in chain)), [name])
        server = described_server(name, {"command": words[0], "args": words[1:]}, 0)
        if server is None:
            return
        found = Asset(
            AssetKind.MCP_SERVER,
            server.key,
            server.package or name,
            Surface.AGENT,
            self.seen[process.pid].locations,
            attributes={"transport": "stdio"},
        )
        yield found
        yield Relation(self.seen[process.pid].id, RelationKind.SERVES, found.id)
        for each in chain[1:]:
            if each.pid in self.seen and self.roles[each.pid].role == "agent":
                yield Relation(self.seen[each.pid].id, RelationKind.USES, found.id)


def _fetching(argv: Sequence[str]) -> list[str]:
    """Return a command line that fetches a package, as a client's configuration has it."""
    words = [visible(each[:_SHOWN_WORD]) for each in command_words(argv)[:_SHOWN_WORDS]]
    package, _ = fetched_package(words)
    if not package:
        return []
    launcher = posixpath.basename(words[0])
    short = {"npm": "npx", "uv": "uvx"}.get(launcher, launcher)
    return [short, package]
