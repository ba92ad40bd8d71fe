"""Rules: what is wrong, why it matters, how to fix it, and the proof."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keepwall.rulebook.match import Clause
from keepwall.rulebook.repair import Repair
from keepwall.vocabulary.asset import Asset, Relation
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.surface import Severity, Surface


@dataclass(frozen=True, slots=True)
class Example:
    """A proof of a rule: a file tree to discover, or facts, assets and relations as they are."""

    files: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[Fact, ...] = ()
    assets: tuple[Asset, ...] = ()
    relations: tuple[Relation, ...] = ()
    place: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """What is wrong, why it matters, how to fix it, and how it is recognised.

    `message` is a template with ``{dotted.field}`` placeholders; `mappings` is framework → ids;
    `place` is where the rule was read (``path:line``); `repairs` is what ``scan --fix`` may do.
    """

    id: str
    title: str
    severity: Severity
    surface: Surface
    why: str
    fix: str
    message: str
    mappings: Mapping[str, tuple[str, ...]]
    match: tuple[Clause, ...]
    failing: tuple[Example, ...]
    passing: tuple[Example, ...]
    place: str
    repairs: tuple[Repair, ...] = ()
