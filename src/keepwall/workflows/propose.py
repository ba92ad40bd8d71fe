"""From a refusal to the smallest rule that would allow it, for a person to read and decide.

Some things are never proposed: places of credentials, what an incident has closed, and what no
rule can hold to a target. These are refused by name, so that nobody opens them by reflex.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from keepwall.content.sensitive_paths import is_sensitive, place_of
from keepwall.decide.paths import is_tree
from keepwall.enforce.runtime.policy import Use
from keepwall.formats.envelope.edit import candidates, listen_item, path_item, peer_item
from keepwall.formats.envelope.parse import parse
from keepwall.formats.envelope.render import render
from keepwall.foundation.bus.snapshot import SnapshotDirectory
from keepwall.foundation.clock import Clock
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.decision import Effect, Plane
from keepwall.vocabulary.envelope import (
    AddressRule,
    Envelope,
    EnvelopeGeneration,
    FileSection,
    NetworkSection,
    PathRule,
    ProcessSection,
)
from keepwall.vocabulary.errors import ConfigError, IntegrityError
from keepwall.vocabulary.event import Activity, Event
from keepwall.vocabulary.subjects import concerns, narrowing_of
from keepwall.workflows.judge import USES, Judge, peer_of
from keepwall.workflows.published import installed_verifier

_EVERY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - named to be warned about, not used


@dataclass(frozen=True, slots=True)
class Proposal:
    """A change of an envelope file: `text` is the whole new file, `rule` what was added.

    `rewritten` says that comments and layout were lost on the way; `cautions` are lines for the
    person who decides.
    """

    rule: str
    text: str
    rewritten: bool
    cautions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing is proposed; `settled` means that nothing needs to be: it is allowed already."""

    reason: str
    settled: bool = False


@dataclass(frozen=True, slots=True)
class _Addition:
    """An envelope with one rule more, and how the rule and the place before it stand in text."""

    envelope: Envelope
    rule: str
    item: str
    line: int


def propose(
    event: Event, text: bytes, origin: str, published: Sequence[EnvelopeGeneration] = ()
) -> Proposal | Refusal:
    """Return the smallest change of the envelope in `text` that allows what `event` tried.

    `published` are the documents that bind the same subject, see `binding`.

    Raises:
        ConfigError: `text` is no envelope, or that of another subject.
    """
    envelope = parse(text, origin)
    if event.envelope != envelope.name:
        raise ConfigError(
            f"{event.id} is about the envelope {event.envelope or '(none)'}, "
            f"but {origin} holds {envelope.name}",
            hint="name the file of that envelope with --file",
        )
    if reason := _never(event) or _closed(event, published):
        return Refusal(reason)
    verdict = Judge(envelope).answer(event)
    if verdict is None:
        return Refusal(f"{origin} does not manage what answers to {event.activity} {event.target}")
    if verdict.allowed:
        return Refusal(f"{origin} allows it already ({verdict.rule})", settled=True)
    if not verdict.rule.endswith(":default"):
        return Refusal(f"{origin} denies it by name ({verdict.rule}), and deny beats allow")
    added = _added(envelope, event)
    if added is None or not _holds(render(added.envelope), added.envelope, event):
        return Refusal(f"no rule can say {event.activity} {event.target}")
    cautions = tuple(_cautions(event, published))
    for changed in candidates(text.decode("utf-8", "replace"), added.line, added.item):
        if _holds(changed, added.envelope, event):
            return Proposal(added.rule, changed, rewritten=False, cautions=cautions)
    return Proposal(added.rule, render(added.envelope), rewritten=True, cautions=cautions)


def binding(state: StateDirectory, clock: Clock, name: str) -> Sequence[EnvelopeGeneration]:
    """Return the signed documents on this machine that bind subjects of the envelope `name`.

    Raises:
        IntegrityError: an order on disk does not hold, so nobody can tell what is closed.
    """
    snapshots = SnapshotDirectory(state.snapshots)
    if not snapshots.has("envelopes"):
        return ()
    loaded = snapshots.load("envelopes", installed_verifier(state), clock.now())
    if loaded.refused:
        raise IntegrityError(
            f"an order on disk does not hold: {loaded.refused[0]}",
            hint="keepwall up writes the true ones again; nothing is proposed on a guess",
        )
    return [
        msgspec.convert(document.body, EnvelopeGeneration)
        for document in loaded.documents
        if document.body is not None and concerns(document.key, name)
    ]


def _never(event: Event) -> str:
    """Return why an event leads to no proposal whatever the file says, or an empty string."""
    if event.effect is Effect.ALLOW:
        return "nothing was refused"
    if event.plane not in (Plane.RUNTIME, Plane.NETWORK):
        return f"rules of the {event.plane} plane are not proposed from events"
    if event.activity is Activity.CREATE and not event.target.startswith("/"):
        return f"{event.target} cannot be held to addresses: only TCP is carried by a rule"
    if event.rule == "process.loader":
        return "the dynamic loader starts any readable program: allow the program itself"
    if event.rule.endswith(":another name of it"):
        return f"{event.target} is another name (hard link) of something that is denied"
    if event.target.startswith("/") and is_sensitive(event.target):
        return f"{event.target} is a place of credentials ({place_of(event.target)})"
    return ""


def _closed(event: Event, published: Iterable[EnvelopeGeneration]) -> str:
    """Return which incident has closed the path that an event took, or an empty string."""
    for each in published:
        if each.uid == narrowing_of(event.envelope) and (rule := _denied_by(each, event)):
            return (
                f"an incident has closed this path: {each.uid} generation {each.generation} "
                f"({each.reason}) denies it ({rule})"
            )
    return ""


def _denied_by(document: EnvelopeGeneration, event: Event) -> str:
    """Return the rule of a published envelope that refuses an event, or an empty string."""
    origin = f"{document.uid} generation {document.generation}"
    verdict = Judge(parse(document.spec.encode(), origin)).answer(event)
    return "" if verdict is None or verdict.allowed else verdict.rule


def _added(envelope: Envelope, event: Event) -> _Addition | None:
    """Return the envelope with the literal rule for an event, or None where no rule can say it."""
    use = USES.get(event.activity)
    peer = peer_of(event.target) if event.activity in (Activity.CONNECT, Activity.LISTEN) else None
    if peer is not None:
        rule = AddressRule(str(peer[0]), (peer[1],))
        return _with_address(envelope, rule, listens=event.activity is Activity.LISTEN)
    # A file may be named "**", and its literal path would say the whole directory.
    if not event.target.startswith("/") or is_tree(event.target):
        return None
    return _with_path(envelope, use or Use.WRITE, PathRule(event.target))


def _with_path(envelope: Envelope, use: Use, rule: PathRule) -> _Addition:
    item, said = path_item(rule), f"{use}: {rule.path}"
    if use is Use.EXECUTE:
        process = envelope.process or ProcessSection()
        changed = replace(envelope, process=replace(process, allow=(*process.allow, rule)))
        return _Addition(changed, said, item, _last_line(process.allow))
    file = envelope.file or FileSection()
    if use is Use.READ:
        changed = replace(envelope, file=replace(file, read=(*file.read, rule)))
        return _Addition(changed, said, item, _last_line(file.read))
    changed = replace(envelope, file=replace(file, write=(*file.write, rule)))
    return _Addition(changed, said, item, _last_line(file.write))


def _with_address(envelope: Envelope, rule: AddressRule, *, listens: bool) -> _Addition:
    network = envelope.network or NetworkSection()
    said = f"{rule.peer} port {rule.ports[0]}"
    if listens:
        changed = replace(network, listen=(*network.listen, rule))
        item, line = listen_item(rule), _last_line(network.listen)
        return _Addition(replace(envelope, network=changed), f"network.listen: {said}", item, line)
    changed = replace(network, egress=(*network.egress, rule))
    item, line = peer_item(rule), _last_line(network.egress)
    return _Addition(replace(envelope, network=changed), f"network.egress: {said}", item, line)


def _last_line(rules: tuple[PathRule, ...] | tuple[AddressRule, ...]) -> int:
    return rules[-1].line if rules else 0


def _holds(text: str, wanted: Envelope, event: Event) -> bool:
    """Return whether a text says exactly the envelope that is wanted, and that allows the event."""
    try:
        found = parse(text.encode("utf-8", "surrogateescape"), wanted.origin)
    except ConfigError:
        return False
    verdict = Judge(found).answer(event)
    return found == wanted and verdict is not None and verdict.allowed


def _cautions(event: Event, published: Iterable[EnvelopeGeneration]) -> Iterator[str]:
    peer = peer_of(event.target) if event.activity is Activity.LISTEN else None
    if peer is not None and str(peer[0]) in _EVERY_ADDRESS:
        yield "it listens on every address of this machine"
    if event.activity is Activity.EXECUTE:
        yield "a program that may start can do all that this envelope allows"
    for each in published:
        if each.uid == event.envelope and (rule := _denied_by(each, event)):
            yield (
                f"what is published, {each.uid} generation {each.generation}, denies it as well "
                f"({rule}): publish the changed file with keepwall envelope apply"
            )
