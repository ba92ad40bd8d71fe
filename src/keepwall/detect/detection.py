"""Detections: the rule as it was loaded, and its sighting in one event."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from keepwall.detect.fields import Category, Record
from keepwall.vocabulary.event import Event
from keepwall.vocabulary.surface import Severity, Surface


@dataclass(frozen=True, slots=True)
class Detection:
    """A rule that an event matches.

    `rule` is the id of the Sigma rule (a UUID) and `name` its file without the ending; `contain`
    says whether the subject shall be contained; `mappings` is framework → ids.
    """

    rule: str
    name: str
    title: str
    severity: Severity
    surface: Surface
    contain: bool
    event: Event
    mappings: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DetectionExample:
    """An event that proves a rule, and where it is written (``path:line``)."""

    event: Event
    place: str


@dataclass(frozen=True, slots=True)
class DetectionRule:
    """A Sigma rule, compiled, with its proof; `place` is where it was read (``path:line``)."""

    id: str
    name: str
    title: str
    description: str
    severity: Severity
    surface: Surface
    contain: bool
    mappings: Mapping[str, Sequence[str]]
    category: Category
    condition: Callable[[Record], bool] = field(compare=False)
    matching: tuple[DetectionExample, ...]
    not_matching: tuple[DetectionExample, ...]
    place: str

    def matches(self, event: Event) -> bool:
        """Return whether `event` is of this rule's category and its condition holds."""
        return (
            event.event_class is self.category.event_class
            and event.activity in self.category.activities
            and self.condition(Record(event))
        )

    def detection(self, event: Event) -> Detection:
        """Return the detection of this rule in `event`."""
        return Detection(
            rule=self.id,
            name=self.name,
            title=self.title,
            severity=self.severity,
            surface=self.surface,
            contain=self.contain,
            event=event,
            mappings=self.mappings,
        )
