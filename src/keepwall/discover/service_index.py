"""The services and programs of AI that are known, indexed by how each is recognised."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from keepwall.vocabulary.asset import AssetKind
from keepwall.vocabulary.surface import Surface

SURFACES: Mapping[AssetKind, Surface] = {
    AssetKind.PROVIDER: Surface.INFERENCE,
    AssetKind.INFERENCE_SERVER: Surface.INFERENCE,
    AssetKind.VECTOR_STORE: Surface.DATA,
    AssetKind.FEATURE_STORE: Surface.DATA,
    AssetKind.MODEL_REGISTRY: Surface.REGISTRY,
    AssetKind.EXPERIMENT_TRACKER: Surface.PIPELINE,
    AssetKind.GUARDRAIL: Surface.AGENT,
}
"""The surface of a service, by its role."""

_CLIENTS = frozenset({"boto3.client", "boto3.resource", "boto3.Session.client"})
_DOCUMENTATION = (
    "/docs",
    "/blog",
    "/papers",
    "/pricing",
    "/en/",
    "/guides",
    "/community",
    "/learn",
)


@dataclass(frozen=True, slots=True, order=True)
class Service:
    """A service or program of AI: its role and its name in the catalogue."""

    role: AssetKind
    name: str


@dataclass(slots=True)
class ServiceIndex:
    """Every known service by what gives it away."""

    frameworks: tuple[str, ...] = ()
    endings: tuple[str, ...] = ()
    imports: dict[str, list[Service]] = field(default_factory=dict)
    classes: dict[str, Service] = field(default_factory=dict)
    calls: dict[str, list[Service]] = field(default_factory=dict)
    clients: dict[str, list[Service]] = field(default_factory=dict)
    environment: dict[str, list[Service]] = field(default_factory=dict)
    hosts: dict[str, list[Service]] = field(default_factory=dict)
    images: dict[str, list[Service]] = field(default_factory=dict)
    programs: dict[str, list[Service]] = field(default_factory=dict)
    schemes: dict[str, list[Service]] = field(default_factory=dict)
    names: dict[str, Service] = field(default_factory=dict)
    """Who serves the models of a provider, by the name of the provider."""

    def imported(self, dotted: str) -> Iterable[Service]:
        """Return the services that importing `dotted` (a module, class or package) is use of."""
        dotted = dotted.removeprefix("npm:")
        found = _longest(dotted, self.imports) or self.imports.get(dotted, ())
        if dotted.startswith(self.frameworks):
            last = dotted.rpartition(".")[2]
            if last in self.classes:
                return (self.classes[last],)
        return found

    def called(self, function: str, first: object) -> Iterable[Service]:
        """Return the services that calling `function`, with `first` as its argument, uses."""
        if function in _CLIENTS:
            return self.clients.get(first, ()) if isinstance(first, str) else ()
        if found := self.calls.get(function):
            return found
        at = function.find(".")
        while at >= 0:
            if found := self.calls.get(function[: at + 1]):
                return found
            at = function.find(".", at + 1)
        return ()

    def configured(self, variable: str) -> Iterable[Service]:
        """Return the services that an environment variable configures."""
        found = self.environment.get(variable)
        at = len(variable)
        while found is None and (at := variable.rfind("_", 0, at)) > 0:
            found = self.environment.get(variable[: at + 1])
        return found or ()

    def addressed(self, url: str) -> Iterable[Service]:
        """Return the services that a URL leads to; pages of documentation lead to none."""
        scheme, mark, rest = url.partition("://")
        if not mark:
            return ()
        if found := self.schemes.get(scheme.lower()):
            return found
        try:
            parts = urlsplit(f"//{rest}" if scheme else url)
            host = (parts.hostname or "").lower()
        except ValueError:
            return ()
        if parts.path.startswith(_DOCUMENTATION):
            return ()
        if found := self.hosts.get(host):
            return found
        at = host.find(".")
        while at >= 0:
            if found := self.hosts.get(host[at:]):
                return found
            at = host.find(".", at + 1)
        return ()

    def contained(self, image: str) -> Iterable[Service]:
        """Return the services that an image holds, by its repository."""
        name = image.partition("@")[0]
        head, slash, last = name.rpartition("/")
        parts = f"{head}{slash}{last.partition(':')[0]}".lower().split("/")
        for count in range(min(len(parts), 3), 0, -1):
            if found := self.images.get("/".join(parts[-count:])):
                return found
        return ()

    def started(self, names: Iterable[str]) -> Iterable[Service]:
        """Return the services that a program of one of `names` is."""
        return next(filter(None, map(self.programs.get, names)), ())


def _longest(dotted: str, table: Mapping[str, list[Service]]) -> Iterable[Service]:
    """Return what the longest dotted prefix of `dotted` stands for."""
    at = len(dotted)
    while at > 0:
        if found := table.get(dotted[:at]):
            return found
        at = dotted.rfind(".", 0, at)
    return ()


def build_index(data: Mapping[str, Any]) -> ServiceIndex:
    """Return the index of ``services.toml``."""
    frameworks = tuple(
        each if each.endswith("/") else f"{each}." for each in data["frameworks"]
    ) + tuple(each for each in data["frameworks"] if each.startswith("@"))
    frameworks += tuple(f"npm:{each}" for each in frameworks)
    index = ServiceIndex(frameworks, tuple(data["endings"]))
    for role in SURFACES:
        for name, ways in data.get(role.value, {}).items():
            service = Service(role, name)
            index.names.setdefault(name, service)
            for each in ways.get("classes", ()):
                for ending in index.endings:
                    index.classes.setdefault(f"{each}{ending}", service)
                    index.classes.setdefault(f"Async{each}{ending}", service)
            for way in ("imports", "calls", "clients", "environment", "hosts"):
                _note(getattr(index, way), ways.get(way, ()), service)
            for way in ("images", "programs", "schemes"):
                _note(getattr(index, way), ways.get(way, ()), service)
    del index.names["huggingface"]  # weights that are loaded from there are served here
    return index


def _note(table: dict[str, list[Service]], keys: Iterable[str], service: Service) -> None:
    for key in keys:
        table.setdefault(key, []).append(service)
