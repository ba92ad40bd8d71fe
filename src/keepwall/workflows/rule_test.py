"""Rules tested against their own examples: discovery and assessment as in a real scan."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from keepwall.assess.engine import assess
from keepwall.discover.tree import discover_tree
from keepwall.rulebook.book import Rulebook
from keepwall.rulebook.rule import Example, Rule
from keepwall.vocabulary.scan import Inventory

Discover = Callable[[Path], Inventory]


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that does not keep what one of its examples promises; `place` is ``path:line``."""

    rule: str
    place: str
    message: str


def test_rule(
    rule: Rule,
    discover: Discover = discover_tree,  # noqa: PT028 - a verb of the product, no pytest test
) -> list[Problem]:
    """Return what is wrong with `rule` by its own examples; nothing means that it is proven.

    Files of an example are written to a temporary directory and discovered there. A failing
    example must raise the rule, a passing one must not; an example of which a part cannot be read,
    or in which nothing is found at all, proves nothing and is a problem too.
    """
    return [
        *_problems(rule, rule.failing, discover, expected=True),
        *_problems(rule, rule.passing, discover, expected=False),
    ]


def _problems(
    rule: Rule, examples: tuple[Example, ...], discover: Discover, *, expected: bool
) -> Iterator[Problem]:
    for example in examples:
        inventory = _inventory(example, discover)
        raised = bool(assess(inventory, Rulebook((rule,))))
        if expected and not raised:
            yield Problem(rule.id, example.place, "the failing example does not raise the rule")
        if raised and not expected:
            yield Problem(rule.id, example.place, "the passing example raises the rule")
        if not inventory.assets and not inventory.facts:
            yield Problem(rule.id, example.place, "nothing is found in the example")
        for part in inventory.unread:
            yield Problem(rule.id, example.place, f"{part.path} is not read: {part.reason}")


def _inventory(example: Example, discover: Discover) -> Inventory:
    if not example.files:
        return Inventory(example.assets, example.relations, example.facts, ())
    with tempfile.TemporaryDirectory(prefix="keepwall-rule-") as folder:
        root = Path(folder) / "example"
        root.mkdir()
        for name, text in example.files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        return discover(root)
