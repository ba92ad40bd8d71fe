"""What servers of AI listen on, and whether they answer without credentials."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

from keepwall.discover.host_answers import (
    Meaning,
    Question,
    meaning,
    question_for,
    questions_for,
)
from keepwall.discover.host_data import host_data
from keepwall.discover.host_listening import Listening
from keepwall.discover.host_probe import Ask, NoReplyError
from keepwall.discover.host_roles import command_words
from keepwall.discover.host_view import HostView
from keepwall.discover.hosted_models import hosted_model
from keepwall.discover.model_names import ModelName
from keepwall.discover.service_index import Service
from keepwall.discover.services import service_used
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_WORKERS = 8
_MOST_ASKED = 200
_PREFIX = re.compile(r"/[\w./~-]{0,100}\Z")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A socket of AI with what it answered: the meaning, the question, or why there is none."""

    socket: Listening
    asked: Question | None = None
    meaning: Meaning | None = None
    tls: bool = False
    silent: str = ""

    @property
    def software(self) -> str:
        """The software: by its own answer, its program, or else the port."""
        if self.asked is not None and (
            (self.meaning is not None and self.meaning.certain)
            or (self.socket.certain and len(_questions(self.socket)) == 1)
        ):
            return self.asked.software
        if self.socket.role is not None and self.socket.certain:
            return self.socket.role.program
        usual = self.socket.usual
        return usual[0] if usual is not None else ""

    @property
    def quiet(self) -> bool:
        """Whether nobody else can use it and nothing is to be asked: no endpoint of its own."""
        return self.socket.listener.loopback and not _questions(self.socket)


def endpoints(view: HostView, sockets: Sequence[Listening], ask: Ask | None) -> list[Endpoint]:
    """Return the endpoints of AI among `sockets`, each asked once if `ask` is given.

    A socket that only its port speaks for is left out where its answer shows another software.
    """
    if ask is None:
        return [Endpoint(each) for each in sockets]
    with ThreadPoolExecutor(_WORKERS) as pool:
        answers: list[Future[Endpoint | None]] = [
            pool.submit(_asked, view, each, ask, number < _MOST_ASKED)
            for number, each in enumerate(sockets)
        ]
    return [found for each in answers if (found := each.result()) is not None]


def _questions(socket: Listening) -> list[Question]:
    if socket.role is not None and not socket.role.ambiguous:
        return questions_for(socket.role)
    found = question_for(socket.usual[0]) if socket.usual is not None else None
    return [found] if found is not None else []


def _asked(view: HostView, socket: Listening, ask: Ask, may: bool) -> Endpoint | None:  # noqa: FBT001 - called in one place
    questions = [] if socket.namespace else _questions(socket)
    if not questions:
        return Endpoint(socket)
    if not may or view.late:
        return Endpoint(socket, questions[0], silent="was not asked: there was no time left")
    last: Endpoint | None = None
    prefix = _prefix(socket)
    for question in questions:
        try:
            reply = ask(socket.address, socket.listener.port, f"{prefix}{question.path}")
        except NoReplyError as error:
            if error.silent:
                return Endpoint(socket, question, silent=error.message)
            return Endpoint(socket) if socket.certain else None
        last = Endpoint(socket, question, meaning(question, reply), reply.tls)
        if last.meaning is not None and last.meaning.certain:
            return last
    return last if socket.certain else None


def _prefix(socket: Listening) -> str:
    """Return what all paths of a server start with, by its command line."""
    words = command_words(socket.owner.argv)[:200] if socket.owner is not None else ()
    options = host_data("host_probes")["prefixes"]["options"]
    for word, following in zip(words, (*words[1:], ""), strict=False):
        option, mark, value = word.partition("=")
        if option in options:
            found = f"/{(value if mark else following).strip('/')}"
            return found.rstrip("/") if _PREFIX.match(found) and ".." not in found else ""
    return ""


def observe_endpoints(
    view: HostView, found: Sequence[Endpoint], seen: Mapping[int, Asset]
) -> Iterator[Observation]:
    """Yield the endpoints; `seen` are the assets of the processes of AI."""
    for each in found:
        owner = each.socket.owner
        holder = seen.get(owner.pid) if owner is not None else None
        if each.quiet and holder is not None:
            yield _listening_fact(view, each, holder)  # in it, not beside it
            continue
        asset = _asset(view, each)
        yield asset
        yield Relation(
            (each.socket.workload or holder or view.host).id, RelationKind.EXPOSES, asset.id
        )
        yield _listening_fact(view, each, asset)
        yield from _answered(view, each, asset, known=holder is not None)


def _asset(view: HostView, each: Endpoint) -> Asset:
    socket, listener = each.socket, each.socket.listener
    everywhere = listener.loopback or socket.reach.startswith("every")
    address = view.host.key if everywhere else listener.address
    if socket.namespace:
        inside = socket.container[:12] or re.sub(r"\W+", "-", socket.namespace).strip("-")
        address = f"{inside}.{view.host.key}"
    host = f"[{address}]" if ":" in address else address
    software = socket.role.name if socket.role is not None else each.software
    attributes = {"address": listener.address, "host": view.host.name, "reach": socket.reach}
    attributes["family"] = socket.family
    if socket.container:
        attributes["container"] = socket.container[:12]
    if each.tls:
        attributes["tls"] = "certificate not verified"
    if not socket.certain and each.meaning is None:
        attributes["evidence"] = "the port alone"
    role, usual = socket.role, socket.usual
    surface = role.surface if role is not None else usual[1] if usual else Surface.INFERENCE
    return Asset(
        AssetKind.ENDPOINT,
        f"{'https' if each.tls else 'http'}://{host}:{listener.port}",
        f"{software} on port {listener.port}",
        surface,
        (Location(f"{listener.address}:{listener.port}"),),
        attributes=attributes,
    )


def _listening_fact(view: HostView, each: Endpoint, holder: Asset) -> Fact:
    listener, owner, role = each.socket.listener, each.socket.owner, each.socket.role
    name = role.name if role is not None else ""
    if not name and owner is not None:
        name = owner.argv[0].rpartition("/")[2]
    value: dict[str, JsonValue] = {
        "address": listener.address,
        "port": listener.port,
        "loopback": listener.loopback,
        "program": name,
        "pid": owner.pid if owner is not None else 0,
        "user": view.users.name(listener.uid),
    }
    path = f"/proc/{owner.pid}" if owner is not None else "/proc/net/tcp"
    return Fact("endpoint.listening", holder.id, value, path)


def _answered(
    view: HostView, each: Endpoint, asset: Asset, *, known: bool
) -> Iterator[Observation]:
    """Yield what an endpoint answered, the service that its answer shows, and its models."""
    place = asset.locations[0]
    if each.silent:
        reason = f"{each.software} {each.silent}; whether it asks for credentials is unknown"
        yield Unread(place.path, reason)
    if each.asked is None or each.meaning is None:
        return
    scheme = "https" if each.tls else "http"
    address = each.socket.address
    host = f"[{address}]" if ":" in address else address
    path = f"{_prefix(each.socket)}{each.asked.path}"
    value: dict[str, JsonValue] = {
        "url": f"{scheme}://{host}:{each.socket.listener.port}{path}",
        "software": each.software,
        "status": each.meaning.status,
        "authenticated": each.meaning.authenticated,
        "models": list(each.meaning.models),
    }
    yield Fact("endpoint.answered", asset.id, value, place.path)
    service = _service(view, each.software)
    if service is not None and each.meaning.certain and not known:
        yield from service_used(service, "program", asset, place, view.context)
    for name in each.meaning.models:
        model = _model(view, name, each.software)
        if model is not None:
            kind = RelationKind.SERVES
            role = view.context.catalogue.models.role(model.name)
            yield from hosted_model(model, role, asset, place, view.context, kind=kind)


def _service(view: HostView, software: str) -> Service | None:
    index = view.context.catalogue.services
    known = (*index.programs.values(), *index.images.values())
    return next((each for found in known for each in found if each.name == software), None)


def _model(view: HostView, name: str, software: str) -> ModelName | None:
    """Return the model that a server says it has, where its name says which one that is."""
    if software == "ollama":
        return ModelName("ollama", name.removesuffix(":latest"))
    return view.context.catalogue.models.recognise(name, "model")
