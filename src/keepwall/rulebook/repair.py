"""Mechanical fixes as data: a pattern around the place of a finding, and what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass

from keepwall.rulebook.condition import MAX_PATTERN
from keepwall.rulebook.source import Marked

LOCKED = "{locked}"
"""In a replacement: the version that a lock file of the tree has for the group ``package``."""
PACKAGE = "package"


@dataclass(frozen=True, slots=True)
class Repair:
    """An exact text edit in files with one of the `suffixes`.

    `pattern` must match once in the statement of the finding (with `anywhere`: in the file);
    `replacement` is what `re.Match.expand` takes, and may hold ``{locked}``.
    """

    suffixes: tuple[str, ...]
    pattern: re.Pattern[str]
    replacement: str
    anywhere: bool = False


def repairs(node: Marked) -> tuple[Repair, ...]:
    """Return the repairs in a list with at least one.

    Raises:
        RuleError: a key is unknown, a pattern is none, or a replacement does not fit its pattern.
    """
    return tuple(_repair(entry) for entry in node.items())


def _repair(node: Marked) -> Repair:
    required = frozenset({"files", "replace", "with"})
    node.keys_within(required | {"anywhere"}, required)
    entries = node.mapping()
    text = entries["replace"].text()
    if len(text) > MAX_PATTERN:
        raise entries["replace"].error(f"a pattern has at most {MAX_PATTERN} characters")
    try:
        pattern = re.compile(text, re.MULTILINE)
    except re.error as error:
        raise entries["replace"].error(f"not a regular expression: {error}") from error
    replacement = str(entries["with"].value or "")
    if LOCKED in replacement and PACKAGE not in pattern.groupindex:
        raise entries["with"].error(f"{LOCKED} needs a group called {PACKAGE} in the pattern")
    try:
        pattern.sub(replacement, "")  # parses the replacement, whether or not something matches
    except (re.error, IndexError) as error:
        raise entries["with"].error(f"does not fit its pattern: {error}") from error
    anywhere = entries["anywhere"].value if "anywhere" in entries else False
    if not isinstance(anywhere, bool):
        raise entries["anywhere"].error("anywhere is true or false")
    suffixes = tuple(each.text() for each in entries["files"].items())
    return Repair(suffixes, pattern, replacement, anywhere)
