"""Containers of AI that run on a host, as Docker and Podman describe them."""

from __future__ import annotations

import stat
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from keepwall.content.secrets import find_secrets
from keepwall.discover.containers import observe_container, surface_of
from keepwall.discover.host_listening import Published
from keepwall.discover.host_roles import Role, shown_name, started_role
from keepwall.discover.host_runtime import container_details, running_containers
from keepwall.discover.host_view import HostView, entries
from keepwall.discover.secret_facts import observe_secret
from keepwall.formats.container import Container, environment_of, mapping, sequence, text_of
from keepwall.formats.plain_text import visible
from keepwall.formats.safe_yaml import YamlValue
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.errors import ConnectError
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_SOCKETS = ("run/docker.sock", "run/podman/podman.sock", "var/run/docker.sock")
_OTHER_RUNTIMES = (
    "run/containerd/containerd.sock",
    "run/crio/crio.sock",
    "run/k3s/containerd/containerd.sock",
)
_MOST = 500
_ROOT = frozenset({"", "0", "root"})


@dataclass(slots=True)
class Containers:
    """The containers of AI that were seen: by id their workloads, and the ports they publish."""

    view: HostView
    workloads: dict[str, Asset] = field(default_factory=dict)
    published: list[Published] = field(default_factory=list)

    def observe(self, of_ai: Collection[str]) -> Iterator[Observation]:
        """Yield the containers of AI; `of_ai` are ids of those in which a process of AI runs."""
        asked = False
        for path in self._sockets():
            asked = True
            shown = self.view.shown(path)
            try:
                for identity in running_containers(path)[:_MOST]:
                    if self.view.late:
                        yield Unread(shown, "containers: there was no time left")
                        return
                    details = container_details(path, identity)
                    yield from self._container(identity, details, identity in of_ai)
            except ConnectError as error:
                yield Unread(shown, f"the container runtime {error.message}")
        for place in _OTHER_RUNTIMES:
            path = self.view.root / place
            if not asked and _is_socket(path):
                reason = (
                    "this runtime is not asked: images and settings of its containers are unknown"
                )
                yield Unread(f"/{place}", reason)

    def _sockets(self) -> Iterator[Path]:
        """Yield the sockets of runtimes that speak Docker's API, each once."""
        root = self.view.root
        places = [root / each for each in _SOCKETS]
        for user in entries(root / "run/user", 1_000)[0]:
            places += [Path(user.path) / "podman/podman.sock", Path(user.path) / "docker.sock"]
        places += [home / ".docker/run/docker.sock" for home in self.view.users.homes]
        seen: set[tuple[int, int]] = set()
        for path in places:
            if _is_socket(path):
                status = path.stat()
                if (status.st_dev, status.st_ino) not in seen:
                    seen.add((status.st_dev, status.st_ino))
                    yield path

    def _container(
        self,
        identity: str,
        details: dict[str, object],
        is_of_ai: bool,  # noqa: FBT001 - of one container
    ) -> Iterator[Observation]:
        container, labels = read_container(details)
        catalogue = self.view.context.catalogue
        services = list(catalogue.services.contained(container.image))
        role = started_role(container.command, catalogue)
        if role is not None and role.ambiguous:
            role = None
        if not (services or role or is_of_ai or container.gpu):
            return
        name = shown_name(container.name or identity[:12])
        group = labels.get("com.docker.compose.project", "")
        service = labels.get("com.docker.compose.service", "")
        key = f"{group}/{service}" if group and service else f"{self.view.host.key}/{name}"
        surface = surface_of(container.command, container.image, catalogue, Surface.INFERENCE)
        place = Location(f"container:{name}")
        workload = Asset(
            AssetKind.WORKLOAD,
            visible(key),
            name,
            surface,
            (place,),
            attributes={"container": identity[:12], "host": self.view.host.name},
        )
        self.workloads[identity] = workload
        yield workload
        yield Relation(self.view.host.id, RelationKind.USES, workload.id)
        yield from observe_container(container, workload, place.path, "host", self.view.context)
        for variable, value in container.environment.items():
            for match in find_secrets(f'{variable}="{value}"') if value else ():
                shown = f"in ${shown_name(variable)}"
                yield from observe_secret(
                    match, "environment", place.path, workload, 0, shown=shown
                )
        known = role or (
            Role(services[0].name, services[0].name, surface, "container") if services else None
        )
        if known is not None:
            for address, port in _published(details):
                self.published.append(Published(address, port, known, workload))


def _is_socket(path: Path) -> bool:
    try:
        return stat.S_ISSOCK(path.stat().st_mode)
    except OSError:
        return False


def read_container(details: dict[str, object]) -> tuple[Container, dict[str, str]]:
    """Return the container and its labels, of what ``GET /containers/ID/json`` answers."""
    document = _yaml(details)
    config, limits = mapping(document.get("Config")), mapping(document.get("HostConfig"))
    user = text_of(config.get("User")).partition(":")[0]
    requests = [mapping(each) for each in sequence(limits.get("DeviceRequests"))]
    devices = [text_of(mapping(each).get("PathOnHost")) for each in sequence(limits.get("Devices"))]
    gpu = bool(requests) or any("nvidia" in each or each == "/dev/kfd" for each in devices)
    bounds = {"memory": text_of(limits.get("Memory")), "cpus": text_of(limits.get("NanoCpus"))}
    command = [text_of(document.get("Path"))]
    command += [text_of(each) for each in sequence(document.get("Args"))]
    mounts = [mapping(each) for each in sequence(document.get("Mounts"))]
    container = Container(
        name=text_of(document.get("Name")).lstrip("/"),
        image=text_of(config.get("Image")),
        privileged=limits.get("Privileged") is True,
        host_network=text_of(limits.get("NetworkMode")) == "host",
        host_pid=text_of(limits.get("PidMode")) == "host",
        run_as_root=user in _ROOT,
        read_only_root=limits.get("ReadonlyRootfs") is True,
        limits={name: each for name, each in bounds.items() if each not in ("", "0")},
        ports=tuple(f"{address}:{port}:{inside}" for address, port, inside in _bindings(document)),
        environment=environment_of(config.get("Env")),
        mounts=tuple(
            f"{text_of(each.get('Source'))}:{text_of(each.get('Destination'))}"
            f"{'' if each.get('RW') is True else ':ro'}"
            for each in mounts
        ),
        gpu=gpu,
        command=tuple(each for each in command if each),
    )
    labels = mapping(config.get("Labels"))
    return container, {name: text_of(each) for name, each in labels.items()}


def _yaml(value: dict[str, object]) -> dict[str, YamlValue]:
    """Return a document of JSON as the functions for containers take it."""
    found: dict[str, YamlValue] = value
    return found


def _bindings(document: dict[str, YamlValue]) -> Iterator[tuple[str, int, str]]:
    """Yield address and port of the host, and the port inside, of what is published."""
    ports = mapping(mapping(document.get("NetworkSettings")).get("Ports"))
    seen: set[tuple[int, str]] = set()
    for inside, bindings in list(ports.items())[:_MOST]:
        if not inside.endswith("/tcp"):
            continue
        for binding in map(mapping, sequence(bindings)):
            port = text_of(binding.get("HostPort"))
            address = text_of(binding.get("HostIp")) or "0.0.0.0"  # noqa: S104 - what Docker means
            number = int(port) if port.isdecimal() and len(port) < 6 else 0  # noqa: PLR2004 - a port
            if 0 < number < 65_536 and (number, inside) not in seen:  # noqa: PLR2004 - a port
                seen.add((number, inside))
                yield address, number, inside.removesuffix("/tcp")


def _published(details: dict[str, object]) -> Iterator[tuple[str, int]]:
    for address, port, _ in _bindings(_yaml(details)):
        yield address, port
