"""What a path of an envelope means on this machine: links that may be followed, and other names."""

from __future__ import annotations

import os
import posixpath
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from keepwall.decide.paths import PathSet, base, covers, is_tree
from keepwall.vocabulary.envelope import PathRule

_MOST_LINKS = 40
_MOST_ENTRIES = 200_000

Identity = tuple[int, int]
"""(device, inode)."""


def settled(path: str, writable: PathSet) -> str:
    """Return `path` with its links followed, or "" when the subject may have made one of them.

    A link where the subject may write says what an earlier run of it wished, not what the author
    of the envelope meant.
    """
    done, left = "/", _MOST_LINKS
    todo = [part for part in reversed(path.split("/")) if part and part != "."]
    while todo:
        part = todo.pop()
        if part == "..":
            done = posixpath.dirname(done)
            continue
        here = posixpath.join(done, part)
        try:
            target = os.readlink(here)
        except OSError:
            done = here
            continue
        left -= 1
        if writable.match(here) or left < 0:
            return ""
        if target.startswith("/"):
            done = "/"
        todo += [each for each in reversed(target.split("/")) if each and each != "."]
    return done


@dataclass(frozen=True, slots=True)
class Denied:
    """What denials name, as objects."""

    objects: frozenset[Identity]
    elsewhere: tuple[str, ...]
    """Other names of denied files (hard links) and trees (mounts) inside what is allowed."""
    complete: bool
    """Whether everything was looked at; else another name may have been overlooked."""


def denied(denials: Sequence[PathRule], allowed: Sequence[str]) -> Denied:
    """Return the objects of `denials` and their other names in the `allowed` rule paths."""
    objects: set[Identity] = set()
    linked: set[Identity] = set()
    rules = [
        os.path.realpath(base(rule.path)) + ("/**" if is_tree(rule.path) else "")
        for rule in denials
    ]
    budget = _Budget()
    for rule in rules:
        for found in _entries(base(rule), budget, tree=is_tree(rule)):
            objects.add((found.st_dev, found.st_ino))
            if stat.S_ISREG(found.st_mode) and found.st_nlink > 1:
                linked.add((found.st_dev, found.st_ino))
    names = [*_mounted_elsewhere(rules), *_links(linked, allowed, budget)]
    elsewhere = {name for name in names if not any(covers(rule, name) for rule in rules)}
    return Denied(frozenset(objects), tuple(sorted(elsewhere)), not budget.spent)


class _Budget:
    """Bounds how many entries of the file system one start looks at."""

    def __init__(self) -> None:
        self._left = _MOST_ENTRIES

    def take(self) -> bool:
        self._left -= 1
        return self._left >= 0

    @property
    def spent(self) -> bool:
        return self._left < 0


def _entries(top: str, budget: _Budget, *, tree: bool) -> Iterator[os.stat_result]:
    for _, found in _walk(top, budget, tree=tree):
        yield found


def _walk(top: str, budget: _Budget, *, tree: bool) -> Iterator[tuple[str, os.stat_result]]:
    """Yield (path, status) of `top` and, for a tree, of all below it, without following links."""
    todo = [top]
    while todo and budget.take():
        path = todo.pop()
        try:
            found = os.lstat(path)
            yield path, found
            if tree and stat.S_ISDIR(found.st_mode):
                todo += [posixpath.join(path, name) for name in os.listdir(path)]
        except OSError:
            continue


def _links(linked: set[Identity], allowed: Sequence[str], budget: _Budget) -> Iterator[str]:
    """Yield where an allowed path leads to one of the `linked` files."""
    if not linked:
        return
    devices = {device for device, _ in linked}
    tops: list[str] = []
    for rule in sorted(allowed, key=len):
        top = os.path.realpath(base(rule)) + ("/**" if is_tree(rule) else "")
        if any(covers(other, top) for other in tops):
            continue
        tops.append(top)
        for path, found in _walk(base(top), budget, tree=is_tree(top)):
            if found.st_dev in devices and (found.st_dev, found.st_ino) in linked:
                yield path


def _mounted_elsewhere(rules: Sequence[str]) -> Iterator[str]:
    """Yield other places at which the file systems show what the denied `rules` name."""
    mounts = list(_mounts())
    for rule in rules:
        top = base(rule)
        # Of mounts that enclose it, the last in the list with the longest place is on top.
        holding = [each for each in mounts if covers(each[2].rstrip("/") + "/**", top)]
        if not holding:
            continue
        device, root, place = max(holding, key=lambda each: len(each[2]))
        inside = posixpath.join(root, posixpath.relpath(top, place)) if top != place else root
        inside = posixpath.normpath(inside)
        for other, shown, where in mounts:
            if other == device and where != place and covers(shown.rstrip("/") + "/**", inside):
                name = posixpath.normpath(posixpath.join(where, posixpath.relpath(inside, shown)))
                yield name + rule[len(top) :]


def _mounts() -> Iterator[tuple[str, str, str]]:
    """Yield (device, path inside its file system, mount point) from /proc/self/mountinfo."""
    try:
        with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
            lines = file.read().split("\n")
    except OSError:
        return
    for line in lines:
        fields = line.split(" ")
        if len(fields) > 5:  # noqa: PLR2004 - columns (proc_pid_mountinfo(5))
            yield fields[2], _plain(fields[3]), _plain(fields[4])


def _plain(text: str) -> str:
    """Return a field of mountinfo without its octal escapes."""
    for code, char in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, char)
    return text
