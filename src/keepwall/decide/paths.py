"""Sets of path rules: literal paths and trees (``/x/**``), matched by walking up the path."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from keepwall.vocabulary.envelope import PathRule

_TREE = "/**"


def is_tree(path: str) -> bool:
    """Return whether a rule path means a directory and everything below it."""
    return path.endswith(_TREE)


def base(path: str) -> str:
    """Return the directory of a tree rule, or the path of a literal one."""
    return (path[: -len(_TREE)] or "/") if is_tree(path) else path


def covers(wide: str, narrow: str) -> bool:
    """Return whether rule path `wide` matches everything that rule path `narrow` matches."""
    if wide == narrow:
        return True
    if not is_tree(wide):
        return False
    top, below = base(wide), base(narrow)
    return top in ("/", below) or below.startswith(top + "/")


def overlap(left: str, right: str) -> str:
    """Return the rule path that matches what both match, or an empty string for nothing."""
    if covers(left, right):
        return right
    return left if covers(right, left) else ""


@dataclass(frozen=True, slots=True)
class PathSet:
    """Path rules, looked up in time that grows with the depth of a path, not with their number."""

    rules: Mapping[str, PathRule] = field(default_factory=dict)

    @classmethod
    def of(
        cls, rules: Iterable[PathRule], resolve: Callable[[str], str] = posixpath.normpath
    ) -> PathSet:
        """Return the set of `rules`; each also counts under its `resolve`d path.

        A link named in an envelope means what it points to: the kernel sees only the object.
        """
        found: dict[str, PathRule] = {}
        for rule in rules:
            suffix = _TREE if is_tree(rule.path) else ""
            top = posixpath.normpath(base(rule.path))
            for path in (top, resolve(top)):
                found.setdefault(_TREE if path + suffix == "/" + _TREE else path + suffix, rule)
        return cls(found)

    def match(self, path: str) -> PathRule | None:
        """Return the most specific rule for an absolute, normalised path, or None."""
        if not self.rules:
            return None
        if rule := self.rules.get(path):
            return rule
        at = path
        while at and at != "/":
            if rule := self.rules.get(at + _TREE):
                return rule
            at = at.rpartition("/")[0]
        return self.rules.get(_TREE)

    def beneath(self, directory: str) -> Iterator[PathRule]:
        """Yield the rules that concern something at or below `directory`."""
        prefix = directory.rstrip("/") + "/"
        for path, rule in self.rules.items():
            if base(path) == directory or base(path).startswith(prefix):
                yield rule

    def __bool__(self) -> bool:
        return bool(self.rules)
