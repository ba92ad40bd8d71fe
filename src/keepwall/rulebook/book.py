"""The book that holds the rules of an installation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from keepwall.rulebook.loader import rules_below
from keepwall.rulebook.rule import Rule
from keepwall.vocabulary.errors import RuleError


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Rules in the order of their ids, each id once."""

    rules: tuple[Rule, ...]

    @classmethod
    def load(cls, extra: Sequence[Path] = ()) -> Rulebook:
        """Return the built-in rules and those in the files or directories `extra`.

        Raises:
            RuleError: a rule is wrong (with its ``path:line``), or an id is there twice.
        """
        builtin = resources.files("keepwall").joinpath("assess", "rules")
        return cls.read((builtin, *extra))

    @classmethod
    def read(cls, roots: Sequence[Traversable]) -> Rulebook:
        """Return the rules in `roots` alone; raises RuleError as `load` does."""
        rules = [rule for root in roots for rule in rules_below(root)]
        seen: dict[str, Rule] = {}
        for rule in rules:
            if rule.id in seen:
                raise RuleError(
                    f"the id {rule.id} is taken by {seen[rule.id].place}",
                    place=rule.place,
                    hint="give the rule a free number",
                )
            seen[rule.id] = rule
        return cls(tuple(sorted(rules, key=lambda rule: rule.id)))

    def __len__(self) -> int:
        return len(self.rules)

    def find(self, rule_id: str) -> Rule | None:
        """Return the rule with this id, if there is one."""
        return next((rule for rule in self.rules if rule.id == rule_id), None)
