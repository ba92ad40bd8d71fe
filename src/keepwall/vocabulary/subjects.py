"""Names on the bus: event subjects and key-value documents."""

from __future__ import annotations

import re

from keepwall.vocabulary.decision import Plane
from keepwall.vocabulary.errors import ConfigError

_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")

EVENT_STREAM = "kw-events"
EVENT_SUBJECTS = "kw.v1.event.>"
_NARROWING = "#narrowed"
BUCKETS = ("envelopes", "revocations", "containments", "status")


def event_subject(plane: Plane, node: str) -> str:
    """Return ``kw.v1.event.<plane>.<node>``; a node name must be one NATS token."""
    if not _TOKEN.fullmatch(node):
        raise ConfigError(f"node name {node!r} may hold letters, digits, - and _ only")
    return f"kw.v1.event.{plane}.{node}"


def kv_key(entity: str) -> str:
    """Return `entity` as a key that NATS accepts: odd bytes become ``=XX``, so none collide."""
    return _UNSAFE.sub(lambda match: "".join(f"={byte:02X}" for byte in match[0].encode()), entity)


def narrowing_of(name: str) -> str:
    """Return the uid of the document that narrows the envelope `name` after incidents.

    It is a document of its own, so that applying the team's envelope anew never opens a path that
    an incident has closed.
    """
    return name + _NARROWING


def concerns(uid: str, name: str) -> bool:
    """Return whether the document `uid` binds subjects of the envelope `name`."""
    return uid in (name, narrowing_of(name))
