"""The examples beside a detection rule: partial events that must match, or must not."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar

from keepwall.detect.detection import DetectionExample
from keepwall.detect.fields import Category
from keepwall.rulebook.source import Marked, parse
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Event, EventClass, Process

_Word = TypeVar("_Word", bound=StrEnum)
_TEXTS = frozenset({"node", "subject", "rule", "envelope"})
_KEYS = _TEXTS | {"class", "activity", "target", "effect", "plane", "tier", "strength", "process"}
_PROCESS = frozenset({"pid", "path", "command_line", "user"})
_AT = datetime(2026, 1, 1, tzinfo=UTC)

Examples = tuple[tuple[DetectionExample, ...], tuple[DetectionExample, ...]]


def read_examples(text: str, origin: str, category: Category) -> Examples:
    """Return the events below `matching` and `not_matching`, at least one of each.

    An example says its `target` and whatever else matters. Left out: `class` and `activity` are
    those of the rule's category, `effect` is deny, `plane` is the class's, `strength` is prevented
    for a refusal and seen-only otherwise, `subject` and `node` are made up, the rest is empty.

    Raises:
        RuleError: a list is missing or empty, or an event is not in our words.
    """
    document = parse(text, origin)
    names = frozenset({"matching", "not_matching"})
    document.keys_within(names, names)
    lists = document.mapping()
    matching, others = (
        tuple(_example(node, category) for node in lists[name].items())
        for name in ("matching", "not_matching")
    )
    return matching, others


def _example(node: Marked, category: Category) -> DetectionExample:
    node.keys_within(_KEYS, frozenset({"target"}))
    entries = node.mapping()
    kind = category.event_class
    if "class" in entries:
        kind = _event_class(entries["class"])
    effect = _word(entries.get("effect"), Effect.DENY)
    network = kind in (EventClass.NETWORK, EventClass.DNS)
    seen = Strength.PREVENTED if effect is Effect.DENY else Strength.SEEN_ONLY
    texts = {name: entries[name].text() for name in ("rule", "envelope", "node") if name in entries}
    event = Event(
        id="example",
        event_class=kind,
        activity=_word(entries.get("activity"), category.activities[0]),
        at=_AT,
        node=texts.get("node", "node-1"),
        subject=texts.get("subject", "run:example"),
        target=entries["target"].text(),
        effect=effect,
        plane=_word(entries.get("plane"), Plane.NETWORK if network else Plane.RUNTIME),
        tier=_word(entries.get("tier"), Tier.NONE),
        strength=_word(entries.get("strength"), seen),
        message="an example",
        process=_process(entries["process"]) if "process" in entries else Process(),
        rule=texts.get("rule", ""),
        envelope=texts.get("envelope", ""),
    )
    return DetectionExample(event, f"{node.origin}:{node.line}")


def _event_class(node: Marked) -> EventClass:
    names = {each.name.lower(): each for each in EventClass}
    if node.text() not in names:
        raise node.error(f"{node.text()!r} is not one of {', '.join(names)}")
    return names[node.text()]


def _word(node: Marked | None, default: _Word) -> _Word:
    """Return the word that `node` says, of the kind that `default` is."""
    if node is None:
        return default
    words = type(default)
    if node.value not in tuple(words):
        raise node.error(f"{node.value!r} is not one of {', '.join(words)}")
    return words(node.text())


def _process(node: Marked) -> Process:
    node.keys_within(_PROCESS)
    entries = node.mapping()
    pid = entries["pid"].value if "pid" in entries else 0
    if not isinstance(pid, int) or isinstance(pid, bool):
        raise entries["pid"].error("a number is expected here")
    texts = {name: entry.text() for name, entry in entries.items() if name != "pid"}
    return Process(
        pid=pid,
        path=texts.get("path", ""),
        command_line=texts.get("command_line", ""),
        user=texts.get("user", ""),
    )
