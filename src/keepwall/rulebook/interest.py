"""What the rules ask about at all, so that discovery need not tell what nobody reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from keepwall.rulebook.book import Rulebook
from keepwall.rulebook.match import Where
from keepwall.vocabulary.json_value import JsonValue

Asked = Callable[[Mapping[str, JsonValue]], bool]
"""Whether any rule would look twice at a fact of this value."""


def asked(rulebook: Rulebook, fact: str, field: str) -> Asked:
    """Return what tells whether a fact of the kind `fact` can matter to any rule.

    It errs towards yes, for what is nearby is not known here. Most values are told from their
    `field` alone, whose same few contents come again and again.
    """
    blocks = [
        where
        for rule in rulebook.rules
        for clause in rule.match
        for kind, where in (
            (clause.fact, clause.where),
            *((near.fact, near.where) for near in (*clause.demanded, *clause.unless)),
        )
        if kind == fact
    ]
    return partial(_asked, blocks, field, {})


def calls_asked_about() -> Asked:
    """Return what tells whether the built-in rules ask about a call in code."""
    return asked(Rulebook.load(), "code.call", "function")


def _asked(
    blocks: list[Where],
    field: str,
    known: dict[JsonValue, list[Where]],
    value: Mapping[str, JsonValue],
) -> bool:
    content = value.get(field)
    if not isinstance(content, str):
        return True
    left = known.get(content)
    if left is None:
        left = known[content] = [each for each in blocks if _could_hold(each, field, content)]
    return any(block.holds(value) for block in left)


def _could_hold(where: Where, field: str, content: str) -> bool:
    """Return whether a block can hold of some fact that has `content` in `field`."""
    if not all(test(content) for name, test in where.fields if name == field):
        return False
    for group, blocks in where.groups:
        if group == "any" and not any(_could_hold(block, field, content) for block in blocks):
            return False
        if group == "all" and not all(_could_hold(block, field, content) for block in blocks):
            return False
    return True
