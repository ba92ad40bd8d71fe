"""The services of AI that code uses: providers, vector stores, trackers, guardrails and more."""

from __future__ import annotations

from collections.abc import Iterator

from keepwall.discover.service_index import SURFACES, Service
from keepwall.discover.source import FileView, TreeContext, asset
from keepwall.formats.source.model import Module
from keepwall.vocabulary.asset import Asset, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.scan import Observation

_SERVES = frozenset({"image", "program"})


def observe_services(
    module: Module, view: FileView, context: TreeContext, holder: Asset
) -> Iterator[Observation]:
    """Yield each service that `module` uses once, where it is first seen."""
    seen: dict[Service, tuple[str, int]] = {}
    for service, via, line in _evidence(module, context):
        if service not in seen:
            seen[service] = (via, line)
    for service, (via, line) in seen.items():
        yield from service_used(service, via, holder, Location(view.path, line), context)


def _evidence(module: Module, context: TreeContext) -> Iterator[tuple[Service, str, int]]:
    """Yield services with how and on which line they show; the strongest evidence first."""
    index = context.catalogue.services
    for each in module.imports:
        yield from ((service, "import", each.line) for service in index.imported(each.name))
    for call in module.calls:
        first = call.arguments.get("0") or call.arguments.get("service_name")
        found = index.called(call.function, first)
        yield from ((service, "call", call.line) for service in found)
    for name, line in _variables(module):
        yield from ((service, "environment", line) for service in index.configured(name))
    for text in module.texts:
        if "://" in text.value:
            yield from ((service, "url", text.line) for service in index.addressed(text.value))


def _variables(module: Module) -> Iterator[tuple[str, int]]:
    """Yield the environment variables that a module reads, also through pydantic's settings."""
    for variable in module.variables:
        yield variable.name, variable.line
    for found in module.classes:
        if any(base.endswith(".BaseSettings") for base in found.bases):
            for name in found.attributes:
                yield name.upper(), found.line


def service_asset(service: Service, place: Location, context: TreeContext) -> Asset:
    """Return the asset of a service."""
    surface = SURFACES[service.role]
    return asset(context, service.role, service.name, service.name, surface, (place,))


def service_used(
    service: Service, via: str, holder: Asset, place: Location, context: TreeContext
) -> Iterator[Observation]:
    """Yield that `holder` uses a service, or serves it where it runs its image or program."""
    found = service_asset(service, place, context)
    yield found
    kind = RelationKind.SERVES if via in _SERVES else RelationKind.USES
    yield Relation(holder.id, kind, found.id)
    value = {"name": service.name, "role": service.role.value, "via": via}
    yield Fact("service.used", holder.id, value, place.path, place.line)
