"""Which sockets of a host may be of AI: whose they are, and from where they can be reached."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from keepwall.discover.host_processes import Process
from keepwall.discover.host_roles import Role
from keepwall.discover.host_sockets import Listener, read_listeners
from keepwall.discover.host_users import read_small
from keepwall.discover.host_view import HostView
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.surface import Surface

_FORWARDERS = re.compile(
    r"(?:docker-proxy|rootlessport|conmon|slirp4netns|pasta|kubectl|ssh|node|java|python[\d.]*)$"
)
_CONTAINER = re.compile(r"([0-9a-f]{64})(?:\.scope)?(?:/|$)", re.MULTILINE)
_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
_MOST_NAMESPACES = 200


@dataclass(frozen=True, slots=True)
class Published:
    """A port of a container that its runtime publishes on the host."""

    address: str
    port: int
    role: Role
    workload: Asset


@dataclass(frozen=True, slots=True)
class Listening:
    """A socket that may be of AI.

    `role` is None where only the port speaks for it, `usual` None where the port does not;
    `namespace` is the network namespace, empty for the one of whoever looks.
    """

    listener: Listener
    owner: Process | None
    role: Role | None
    usual: tuple[str, Surface] | None
    namespace: str = ""
    container: str = ""
    workload: Asset | None = None

    @property
    def certain(self) -> bool:
        """Whether the program says that this is of AI, and not the port alone."""
        return self.role is not None and not self.role.ambiguous

    @property
    def address(self) -> str:
        """The address to connect to from this host."""
        everywhere = self.listener.address in _EVERYWHERE
        return "127.0.0.1" if everywhere else self.listener.address

    @property
    def reach(self) -> str:
        """From where it can be reached, as far as the socket says."""
        if self.listener.loopback:
            return "this host"
        everywhere = self.listener.address in _EVERYWHERE
        where = "every address" if everywhere else self.listener.address
        return f"{where} of a network namespace of its own" if self.namespace else where

    @property
    def family(self) -> str:
        """The address families: a socket on ``::`` usually takes IPv4 as well."""
        if self.listener.address == "::":
            return "IPv6 and IPv4"
        return "IPv6" if ":" in self.listener.address else "IPv4"


def listening(
    view: HostView, roles: Mapping[int, Role], published: Iterable[Published]
) -> Iterator[Listening]:
    """Yield the sockets that processes of AI hold, or that listen on a port that AI servers use."""
    by_port = {each.port: each for each in published}
    owners = _owners(view, roles)
    for listener, namespace in _listeners(view, roles):
        offer = by_port.get(listener.port) if not namespace else None
        owner = owners.get(listener.inode) or _likely(listener, view, roles)
        role = roles.get(owner.pid) if owner is not None else None
        usual = view.context.catalogue.ports.get(listener.port)
        if offer is not None and role is None and (owner is None or _forwards(owner)):
            del by_port[listener.port]
            yield Listening(listener, owner, offer.role, usual, workload=offer.workload)
        elif role is not None and not role.ambiguous:
            container = container_of(owner, view) if owner is not None else ""
            yield Listening(listener, owner, role, usual, namespace, container)
        elif usual is not None and (role is not None or owner is None or _forwards(owner)):
            yield Listening(listener, owner, role, usual, namespace)
    for offer in by_port.values():  # the kernel forwards these, no socket listens
        listener = Listener(offer.address, offer.port, 0, 0)
        yield Listening(listener, None, offer.role, None, workload=offer.workload)


def _owners(view: HostView, roles: Mapping[int, Role]) -> dict[int, Process]:
    """Return who holds each socket; of several the first, and one of AI before others."""
    found: dict[int, Process] = {}
    for process in view.processes.all:
        for inode in process.sockets:
            known = found.get(inode)
            if known is None or (known.pid not in roles and process.pid in roles):
                found[inode] = process
    return found


def _listeners(view: HostView, roles: Mapping[int, Role]) -> list[tuple[Listener, str]]:
    """Return what listens in this network namespace, and in those in which AI runs."""
    here = set(read_listeners(view.proc / "net"))
    found = [(each, "") for each in sorted(here)]
    own = view.processes.namespace
    others: dict[str, int] = {}
    for process in view.processes.all:
        if process.pid in roles and (not own or process.namespace != own):
            others.setdefault(process.namespace or f"of process {process.pid}", process.pid)
    for namespace, pid in list(others.items())[:_MOST_NAMESPACES]:
        elsewhere = set(read_listeners(view.proc / str(pid) / "net")) - here
        here |= elsewhere
        found += [(each, namespace) for each in sorted(elsewhere)]
    return found


def _likely(listener: Listener, view: HostView, roles: Mapping[int, Role]) -> Process | None:
    """Return the process that surely holds a socket which may not be looked into.

    That is the only program of AI of the same user that is told to listen on this port, or that
    usually does.
    """
    usual = view.context.catalogue.ports.get(listener.port)
    hidden = [
        each
        for each in view.processes.all
        if not each.visible and each.uid == listener.uid and each.pid in roles
    ]
    told = re.compile(rf"(?:.*[=:])?{listener.port}\Z")
    for fitting in (
        [each for each in hidden if any(told.match(word[:200]) for word in each.argv[1:200])],
        [each for each in hidden if usual and roles[each.pid].program.startswith(usual[0])],
    ):
        if len({roles[each.pid].program for each in fitting}) == 1:
            return fitting[0]
    return None


def _forwards(process: Process) -> bool:
    """Return whether a process may stand for a server of AI without showing it."""
    return _FORWARDERS.match(posixpath.basename(process.argv[0])) is not None


def container_of(process: Process, view: HostView) -> str:
    """Return the id of the container that a process runs in, or an empty text."""
    match = _CONTAINER.search(read_small(view.proc / str(process.pid) / "cgroup", 8 << 10))
    return match[1] if match else ""
