"""Compares two lists of path rules region by region."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from keepwall.decide.paths import PathSet, base, covers, is_tree
from keepwall.decide.regions import Change, Turn, affordable
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import PathRule

Rules = tuple[Sequence[PathRule], Effect, Sequence[PathRule]]
"""Rules of one list, the default, and the denials that hold for every list."""
_FRESH = "\0"
"""A name that no rule can hold, so it stands for every entry that none names."""
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class _Caller:
    """Who asks: an executable that rules name (or any other, ``""``), and whose file it is."""

    source: str
    owner: bool

    def __str__(self) -> str:
        said = f" from {self.source}" if self.source else ""
        return said + (" (own files)" if self.owner else "")


def differing_paths(section: str, verb: str, old: Rules, new: Rules) -> Iterator[Change]:
    """Yield how what may be done with paths changes.

    Raises:
        ConfigError: there are too many rules to compare.
    """
    rules = [rule for side in (old, new) for rule in (*side[0], *side[2])]
    regions = sorted({path for rule in rules for path in _regions_at(rule.path)} | {"/**"})
    callers = _callers(rules)
    affordable(len(callers) * (len(regions) + len(rules)))
    said: set[tuple[str, str]] = set()
    for caller in callers:
        before, after = _Side(old, caller), _Side(new, caller)
        turns = {path: Turn(before.answer(path), after.answer(path)) for path in regions}
        for path, turn in _outermost(turns):
            if turn.sign and (path, turn.verb + turn.sign) not in said:
                if caller == _Caller("", owner=False):
                    said.add((path, turn.verb + turn.sign))
                what = f"{turn.verb} {verb} {path}{caller}{_except(path, turn, turns)}"
                yield Change(section, turn.sign, what)


def _regions_at(path: str) -> Iterable[str]:
    """Return what a rule sets apart: the path itself and, for a tree, everything else below it."""
    return (base(path), path) if is_tree(path) else (path,)


def _callers(rules: Iterable[PathRule]) -> Sequence[_Caller]:
    rules = list(rules)
    sources = dict.fromkeys(["", *(rule.source for rule in rules)])
    owners = (False, True) if any(rule.owner for rule in rules) else (False,)
    return [_Caller(source, owner) for source in sources for owner in owners]


class _Side:
    """One envelope, as one caller meets it."""

    def __init__(self, rules: Rules, caller: _Caller) -> None:
        listed, self._default, denied = rules

        def meets(rule: PathRule) -> bool:
            return rule.source in ("", caller.source) and (caller.owner or not rule.owner)

        self._denied = PathSet.of(
            [
                *filter(meets, denied),
                *(rule for rule in listed if rule.action is Effect.DENY and meets(rule)),
            ]
        )
        self._allowed = PathSet.of(
            rule for rule in listed if rule.action is not Effect.DENY and meets(rule)
        )

    def answer(self, region: str) -> Effect:
        path = f"{base(region).rstrip('/')}/{_FRESH}" if is_tree(region) else region
        if self._denied.match(path):
            return Effect.DENY
        rule = self._allowed.match(path)
        return rule.action if rule else self._default


def _outermost(turns: dict[str, Turn]) -> Iterator[tuple[str, Turn]]:
    """Yield the regions that change, without those inside another that changes alike."""
    # A tree comes before its own directory and all that is below.
    order = sorted(turns, key=lambda path: (base(path).rstrip("/") + "/", not is_tree(path)))
    open_trees: list[str] = []
    for path in order:
        while open_trees and not covers(open_trees[-1], path):
            open_trees.pop()
        turn = turns[path]
        if not open_trees or turns[open_trees[-1]] != turn:
            yield path, turn
        if is_tree(path):
            open_trees.append(path)


def _except(path: str, turn: Turn, turns: dict[str, Turn]) -> str:
    """Return what inside a tree stays refused although the rest of it is allowed now."""
    if not is_tree(path) or turn.after is Effect.DENY:
        return ""
    inside = [
        each
        for each, other in turns.items()
        if other.after is Effect.DENY and each != path and covers(path, each)
    ]
    top = [each for each in inside if not any(o != each and covers(o, each) for o in inside)]
    if not top:
        return ""
    more = f" and {len(top) - _SHOWN} more" if len(top) > _SHOWN else ""
    return f" (except {', '.join(sorted(top)[:_SHOWN])}{more})"
