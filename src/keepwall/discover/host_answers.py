"""What is asked of a server, and what its answer means: no credentials, refused, or unknown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from keepwall.discover.host_data import host_data
from keepwall.discover.host_probe import Reply
from keepwall.discover.host_roles import Role, shown_name
from keepwall.discover.source import without_secrets
from keepwall.formats.safe_json import load_json
from keepwall.vocabulary.errors import FormatError

_REFUSED = frozenset({401, 403, 407})
_SIGN_IN = re.compile(r"(?im)^location: *\S*(?:log_?in|sign_?in|auth|sso)")
_FOUND = 200
_REDIRECTS = range(300, 400)
_MOST_MODELS = 50
_DEPTH, _NODES = 40, 50_000


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of a kind of software, and how its answers are read."""

    software: str
    path: str
    open: frozenset[int]
    shows: re.Pattern[str] | None
    refuses: re.Pattern[str] | None
    says: str
    models: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an answer says; `authenticated` None is unknown, `certain`: it shows the software."""

    status: int
    authenticated: bool | None
    certain: bool
    models: tuple[str, ...] = ()


@cache
def _questions() -> dict[str, Question]:
    return {name: _question(name, entry) for name, entry in host_data("host_probes")["ask"].items()}


def _question(name: str, entry: dict[str, Any]) -> Question:
    shows, refuses = entry.get("shows"), entry.get("refuses")
    return Question(
        name,
        entry["path"],
        frozenset(entry.get("open", (_FOUND,))),
        re.compile(shows) if shows else None,
        re.compile(refuses) if refuses else None,
        entry.get("says", ""),
        entry.get("models", ""),
    )


def question_for(program: str) -> Question | None:
    """Return what is asked of a program or software of this name, or None for nothing."""
    known = _questions()
    return known.get(host_data("host_probes")["programs"].get(program, program))


def questions_for(role: Role) -> list[Question]:
    """Return what is asked of a server of a process; of unknown software a few things in turn."""
    found = question_for(role.program) or question_for(role.role)
    if found is not None:
        return [found]
    if role.role.startswith("uses ") or role.role == "web-server":
        used = question_for(role.role.removeprefix("uses "))
        names = host_data("host_probes")["unknown"]["ask"]
        return [used] if used is not None else [_questions()[name] for name in names]
    return []


def meaning(question: Question, reply: Reply) -> Meaning:
    """Return what a reply to a question says; the reply may be hostile."""
    text = reply.body.decode("utf-8", "replace")
    if reply.status in question.open | {_FOUND}:
        certain = question.shows is None or question.shows.search(text) is not None
        if not certain or (reply.status not in question.open):
            return Meaning(reply.status, None, certain)
        document = _document(reply.body)
        return Meaning(
            reply.status,
            _said(question, document),
            question.shows is not None,
            tuple(dict.fromkeys(_models(document, question.models)))[:_MOST_MODELS],
        )
    refused = question.refuses
    certain = refused is not None and refused.search(f"{reply.head}\r\n{text}") is not None
    sign_in = reply.status in _REDIRECTS and _SIGN_IN.search(reply.head) is not None
    closed = reply.status in _REFUSED or sign_in
    return Meaning(reply.status, True if closed else None, certain)


def _said(question: Question, document: object) -> bool | None:
    """Return whether credentials are asked for, where the server answered as without."""
    if not question.says:
        return False
    values = list(_at(document, question.says.split(".")))
    return values[0] if values and isinstance(values[0], bool) else None


def _document(body: bytes) -> object:
    try:
        return load_json(body, depth=_DEPTH, nodes=_NODES)
    except FormatError:
        return None  # no JSON, or more than was read


def _models(document: object, place: str) -> Iterator[str]:
    for each in _at(document, place.split(".")) if place else ():
        if isinstance(each, str) and each.strip():
            yield shown_name(without_secrets(each[:200]))


def _at(node: object, path: list[str]) -> Iterator[object]:
    if not path:
        yield node
    elif path[0] == "*" and isinstance(node, list):
        for each in node[:_MOST_MODELS]:
            yield from _at(each, path[1:])
    elif isinstance(node, dict) and path[0] in node:
        yield from _at(node[path[0]], path[1:])
