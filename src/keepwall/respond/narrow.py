"""Closes a path: an envelope that denies what an attack used, composed with the subject's own.

It allows everything and denies a little, so composed with any envelope (allows intersect, denies
unite) it only takes away. Nobody needs to rewrite the file that a team maintains.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import replace

from keepwall.content.sensitive_paths import place_of
from keepwall.vocabulary.decision import Effect, Plane, Strength
from keepwall.vocabulary.envelope import (
    AddressRule,
    Envelope,
    FileSection,
    Mode,
    NetworkSection,
    PathRule,
    ProcessSection,
)
from keepwall.vocabulary.event import Activity, Event


def narrowed(before: Envelope | None, name: str, path: Iterable[Event]) -> Envelope:
    """Return `before` (an earlier such envelope, or None) with the attack's `path` denied.

    Credentials are denied by their place, so that the file beside is not the next way; a peer is
    denied whole, so that another port is not; a program is denied by its path.
    """
    base = before or Envelope(
        name=name,
        planes=(Plane.RUNTIME, Plane.NETWORK),
        mode=Mode.ENFORCE,
        minimum_strength=Strength.BLIND,
        process=ProcessSection(default=Effect.ALLOW, capabilities=()),
        file=FileSection(default=Effect.ALLOW),
        network=NetworkSection(default=Effect.ALLOW),
    )
    files = {rule.path: rule for rule in (base.file or FileSection()).deny}
    programs = {rule.path: rule for rule in (base.process or ProcessSection()).allow}
    peers = {rule.peer: rule for rule in (base.network or NetworkSection()).egress}
    for event in path:
        if event.activity in (Activity.READ, Activity.WRITE, Activity.DELETE):
            place = place_of(event.target)
            files.setdefault(place, PathRule(place))
        elif event.activity is Activity.EXECUTE:
            programs.setdefault(event.target, PathRule(event.target, Effect.DENY))
        elif event.activity is Activity.CONNECT and (peer := _peer(event.target)):
            peers.setdefault(peer, AddressRule(peer, action=Effect.DENY))
    return replace(
        base,
        file=replace(base.file or FileSection(), deny=tuple(files.values())),
        process=replace(base.process or ProcessSection(), allow=tuple(programs.values())),
        network=replace(base.network or NetworkSection(), egress=tuple(peers.values())),
    )


def _peer(target: str) -> str:
    """Return the address of ``address:port``, or an empty string where there is none."""
    host = target.rpartition(":")[0].removeprefix("[").removesuffix("]")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return ""
