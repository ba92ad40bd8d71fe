"""Where somebody from outside gets in: ports, tunnels, pull requests, text that strangers write."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from keepwall.assess.reach_graph import ReachGraph
from keepwall.vocabulary.asset import AssetKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue

_EVERYWHERE = frozenset({"0.0.0.0", "::", "[::]", "*"})  # noqa: S104 - what is looked for
_LISTENS = re.compile(
    r"(?:^|\s)--?(?:[\w.-]{0,40}\.)?(?:host|ip|bind|listen|address|server-address|http-host)"
    r"[= ]['\"]?(?:0\.0\.0\.0|\[?::\]?|\*)(?=['\":\s]|$)"
)
_LOOPBACK = ("127.", "[::1]", "localhost:")
_STRANGERS: Mapping[str, str] = {
    "pull_request_target": "pull requests of strangers",
    "issue_comment": "comments of strangers",
    "issues": "issues of strangers",
    "discussion": "discussions of strangers",
    "discussion_comment": "comments of strangers",
    "workflow_run": "runs that strangers start",
}
_ORIGINS: Mapping[str, str] = {
    "request": "requests",
    "document": "the text of documents",
    "model": "what a model answers",
}
_PUBLIC = re.compile(r"(?i)public-read|allusers|allauthenticatedusers")


def entrances(facts: Sequence[Fact], graph: ReachGraph) -> dict[str, str]:
    """Return the nodes at which an outsider gets in, each with how, for a person."""
    found: dict[str, str] = {}
    for fact in facts:
        for how in _ways_in(fact):
            found.setdefault(graph.start(fact.asset, fact.path), how)
    return found


def _ways_in(fact: Fact) -> Iterator[str]:
    read = _READERS.get(fact.kind)
    if read is not None:
        yield from read(fact)


def _listening(fact: Fact) -> Iterator[str]:
    if fact.value.get("loopback") is False:
        yield f"{fact.value.get('address')}:{fact.value.get('port')}"


def _container(fact: Fact) -> Iterator[str]:
    if fact.value.get("host_network") is True:
        yield "the network of its host"
    ports = fact.value.get("ports")
    kubernetes = fact.asset.startswith(f"{AssetKind.KUBERNETES_OBJECT}:")
    for port in ports if isinstance(ports, Sequence) and not isinstance(ports, str) else ():
        # of Kubernetes, a port without one of the host is a note and opens nothing
        if isinstance(port, str) and port and not port.startswith(_LOOPBACK):
            head, mark, _ = port.rpartition(":")
            if mark or not kubernetes:
                yield f"the published port {(head.rpartition(':')[2] or port)[:20]}"


def _command(fact: Fact) -> Iterator[str]:
    if fact.value.get("source") not in ("host", "script"):
        return  # in a container every interface is that of the container: ports count, not this
    argv = fact.value.get("argv")
    if isinstance(argv, Sequence) and not isinstance(argv, str):
        line = " ".join(word for word in argv[:200] if isinstance(word, str))
        if _LISTENS.search(line[:8_000]):
            yield f"every interface ({fact.value.get('program')})"


def _call(fact: Fact) -> Iterator[str]:
    arguments = fact.value.get("arguments")
    if isinstance(arguments, Mapping):
        if any(_is_everywhere(arguments.get(name)) for name in ("host", "server_name", "ip")):
            yield "every interface"
        if arguments.get("share") is True and str(fact.value.get("function")).endswith("launch"):
            yield "a public tunnel"


def _is_everywhere(value: JsonValue) -> bool:
    return isinstance(value, str) and value in _EVERYWHERE


def _setting(fact: Fact) -> Iterator[str]:
    if str(fact.value.get("name")).endswith(".ip") and _is_everywhere(fact.value.get("value")):
        yield "every interface"


def _workflow(fact: Fact) -> Iterator[str]:
    triggers = fact.value.get("triggers")
    for trigger in triggers if isinstance(triggers, Sequence) else ():
        if isinstance(trigger, str) and trigger in _STRANGERS:
            yield _STRANGERS[trigger]


def _flow(fact: Fact) -> Iterator[str]:
    # what a model passes to a tool comes from outside only by way of what the model has read
    if (origin := _ORIGINS.get(str(fact.value.get("origin")))) is not None:
        yield origin


def _resource(fact: Fact) -> Iterator[str]:
    attributes = fact.value.get("attributes")
    if isinstance(attributes, Mapping) and any(
        isinstance(each, str) and _PUBLIC.search(each[:500]) for each in attributes.values()
    ):
        yield "the internet"


_READERS = {
    "endpoint.listening": _listening,
    "container.spec": _container,
    "command.line": _command,
    "code.call": _call,
    "notebook.setting": _setting,
    "pipeline.workflow": _workflow,
    "code.flow": _flow,
    "infrastructure.resource": _resource,
}
