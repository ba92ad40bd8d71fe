"""The detections of an installation: every rule, found by what an event is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from keepwall.detect.detection import Detection, DetectionRule
from keepwall.detect.fields import Record
from keepwall.vocabulary.errors import RuleError
from keepwall.vocabulary.event import Activity, Event, EventClass


@dataclass(frozen=True, slots=True)
class Detections:
    """Rules in the order of their names, each id once, and an index by class and activity."""

    rules: tuple[DetectionRule, ...]
    index: Mapping[tuple[EventClass, Activity], tuple[DetectionRule, ...]]

    @classmethod
    def load(cls, extra: Sequence[Path] = ()) -> Detections:
        """Return the built-in rules and those in the files or directories `extra`.

        Raises:
            RuleError: a rule is wrong (with its ``path:line``), or an id is there twice.
        """
        builtin = resources.files("keepwall").joinpath("detect", "rules")
        return cls.read([(builtin, None), *((path, path.parent) for path in extra)])

    @classmethod
    def read(cls, roots: Sequence[tuple[Traversable, Traversable | None]]) -> Detections:
        """Return the rules in `roots` alone, each with its folder; raises RuleError as `load`."""
        from keepwall.detect.loader import rules_below  # noqa: PLC0415 - pySigma is slow to import

        try:
            rules = [rule for root, folder in roots for rule in rules_below(root, folder)]
        except OSError as error:
            raise RuleError(
                f"cannot be read: {error.strerror}", place=f"{error.filename}"
            ) from error
        seen: dict[str, DetectionRule] = {}
        for rule in rules:
            if rule.id in seen:
                raise RuleError(
                    f"the id {rule.id} is taken by {seen[rule.id].place}",
                    place=rule.place,
                    hint="give the rule a new UUID",
                )
            seen[rule.id] = rule
        return cls.of(rules)

    @classmethod
    def of(cls, rules: Sequence[DetectionRule]) -> Detections:
        """Return `rules`, indexed."""
        ordered = tuple(sorted(rules, key=lambda rule: (rule.name, rule.id)))
        index: dict[tuple[EventClass, Activity], tuple[DetectionRule, ...]] = {}
        for rule in ordered:
            for activity in rule.category.activities:
                key = (rule.category.event_class, activity)
                index[key] = (*index.get(key, ()), rule)
        return cls(ordered, index)

    def match(self, event: Event) -> list[Detection]:
        """Return a detection for every rule that `event` matches, in the order of their names."""
        rules = self.index.get((event.event_class, event.activity))
        if not rules:
            return []
        record = Record(event)
        return [rule.detection(event) for rule in rules if rule.condition(record)]
