"""What containers, command lines and environments imply: services that run, models they serve."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from keepwall.discover.catalogue import Catalogue, catalogue, started_names
from keepwall.discover.model_names import ModelName
from keepwall.discover.service_index import SURFACES, Service
from keepwall.formats.dockerfile import environment_pairs, shell_words
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_MAXIMUM_COMMANDS = 50


def implied(fact: Fact) -> Iterator[Observation]:
    """Yield what a fact of any source implies about services and hosted models."""
    rule = _RULES.get(fact.kind)
    if rule is not None:
        yield from rule(_Implied(fact, catalogue()))


@dataclass(frozen=True, slots=True)
class _Implied:
    """A fact that is looked at; what it names belongs to the asset that it is about."""

    fact: Fact
    known: Catalogue

    @property
    def place(self) -> Location:
        """Where the fact was seen."""
        return Location(self.fact.path, self.fact.line)

    def text(self, name: str) -> str:
        """Return a field of the fact that is a text."""
        value = self.fact.value.get(name)
        return value if isinstance(value, str) else ""

    def service(self, service: Service, via: str) -> Iterator[Observation]:
        """Yield that the asset of the fact uses a service, or serves what it runs."""
        found = Asset(
            service.role, service.name, service.name, SURFACES[service.role], (self.place,)
        )
        yield found
        runs = via in ("image", "program")
        kind = RelationKind.SERVES if runs else RelationKind.USES
        yield Relation(self.fact.asset, kind, found.id)
        value = {"name": service.name, "role": service.role.value, "via": via}
        yield Fact("service.used", self.fact.asset, value, self.fact.path, self.fact.line)

    def model(self, model: ModelName, kind: RelationKind) -> Iterator[Observation]:
        """Yield a model that the asset of the fact serves or uses."""
        surface = Surface.REGISTRY if model.provider == "huggingface" else Surface.INFERENCE
        role = self.known.models.role(model.name)
        found = Asset(
            AssetKind.HOSTED_MODEL,
            f"{model.provider}/{model.name}",
            model.name,
            surface,
            (self.place,),
            attributes={"provider": model.provider, **({"role": role} if role else {})},
        )
        yield found
        yield Relation(self.fact.asset, kind, found.id)
        service = self.known.services.names.get(model.provider)
        if service is not None:
            host = Asset(
                service.role, service.name, service.name, SURFACES[service.role], (self.place,)
            )
            yield host
            yield Relation(found.id, RelationKind.USES, host.id)

    def environment(self, variables: Mapping[str, JsonValue]) -> Iterator[Observation]:
        """Yield what environment variables configure, address and name."""
        for name, value in variables.items():
            for service in self.known.services.configured(name):
                yield from self.service(service, "environment")
            if not isinstance(value, str):
                continue
            if "://" in value:
                for service in self.known.services.addressed(value):
                    yield from self.service(service, "url")
            elif self.known.models.holds_model(name):
                model = self.known.models.recognise(value, name)
                if model is not None:
                    yield from self.model(model, RelationKind.USES)

    def command(self, argv: list[str], *, serves: bool) -> Iterator[Observation]:
        """Yield the service that a command line starts, and the models that it names."""
        names = started_names(argv)
        if serves:
            for service in self.known.services.started(names[::-1]):
                yield from self.service(service, "program")
        kind = RelationKind.SERVES if serves else RelationKind.USES
        for model in self.known.models.commanded(names[::-1], argv):
            yield from self.model(model, kind)


def _image(seen: _Implied) -> Iterator[Observation]:
    for service in seen.known.services.contained(seen.text("reference")):
        yield from seen.service(service, "image")


def _container(seen: _Implied) -> Iterator[Observation]:
    variables = seen.fact.value.get("environment")
    if isinstance(variables, dict):
        yield from seen.environment(variables)


def _command(seen: _Implied) -> Iterator[Observation]:
    argv = seen.fact.value.get("argv")
    words = [each for each in argv if isinstance(each, str)] if isinstance(argv, list) else []
    yield from seen.command(words, serves=True)
    yield from _container(seen)


def _instruction(seen: _Implied) -> Iterator[Observation]:
    """Yield what ``ENV`` sets, and the models that ``RUN`` fetches."""
    value = seen.text("value")
    if seen.text("instruction") in ("ENV", "ARG"):
        yield from seen.environment({**environment_pairs(value)})
    elif seen.text("instruction") == "RUN":
        yield from _script(seen, value)


def _step(seen: _Implied) -> Iterator[Observation]:
    yield from _script(seen, seen.text("run"))


def _script(seen: _Implied, text: str) -> Iterator[Observation]:
    commands = text.replace("&&", "\n").replace(";", "\n").replace("||", "\n").split("\n")
    for line in commands[:_MAXIMUM_COMMANDS]:
        if any(name in line for name in seen.known.models.commands):
            yield from seen.command(shell_words(line)[:200], serves=False)


def _server(seen: _Implied) -> Iterator[Observation]:
    names = seen.fact.value.get("environment")
    if isinstance(names, list):
        yield from seen.environment({str(each): None for each in names})


_RULES: Mapping[str, Callable[[_Implied], Iterator[Observation]]] = {
    "container.image": _image,
    "container.spec": _container,
    "command.line": _command,
    "dockerfile.instruction": _instruction,
    "pipeline.step": _step,
    "mcp.server": _server,
}
