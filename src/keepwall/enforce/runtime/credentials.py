"""Closes the places of credentials that lie inside the directories of a learned envelope.

A directory is what was meant when many of its files are used; the credentials beside them were
not. Whoever attacks during learning, or just works in a project with an ``.env``, must not make
them normal.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

from keepwall.content.sensitive_paths import is_sensitive, place_of
from keepwall.decide.paths import PathSet, base, is_tree
from keepwall.enforce.runtime.draft import TEMPORARY, Draft, is_system_tree
from keepwall.enforce.runtime.learn import Used
from keepwall.enforce.runtime.policy import Use
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import FileSection, PathRule

_MOST_ENTRIES = 50_000
_PASSED_OVER = frozenset({"/proc", "/sys", "/dev", *TEMPORARY})
"""Trees that are nobody's own: what lies there now says nothing about the next run."""


def closed(found: Draft, used: Used) -> Draft:
    """Return the draft with every place of credentials inside its directories denied.

    Those that the run touched are denied, and those that lie there now; what the run tried to
    write is denied whole, else only reading is, so that the directory stays as usable as it was.
    Reads the file system; what it could not look through in bounds is said.
    """
    section = found.envelope.file or FileSection()
    rules = [rule for rule in (*section.read, *section.write) if is_tree(rule.path)]
    trees = PathSet.of(rules)
    touched = {path for paths in used.files.values() for path in paths if is_sensitive(path)}
    written = {place_of(path) for path in used.files[Use.WRITE] if is_sensitive(path)}
    search = _Search()
    tops = {base(rule.path) for rule in rules if not is_system_tree(rule.path)} - _PASSED_OVER
    there = {path for top in sorted(tops) for path in search.below(top)}
    places = {place_of(path) for path in touched | there}
    inside = {place for place in places if trees.match(base(place))}
    left_out = list(found.left_out)
    told = {place_of(path) for path in touched}
    left_out += [
        f"reading {place}: a place of credentials in a directory that is allowed"
        for place in sorted(inside - told)
    ]
    if search.spent:
        left_out.append(
            f"not looked through for credentials: all beyond {_MOST_ENTRIES} files of the "
            "directories that are allowed"
        )
    unreadable = tuple(PathRule(place, Effect.DENY) for place in sorted(inside - written))
    file = replace(
        section,
        read=(*section.read, *unreadable),
        deny=(*section.deny, *(PathRule(place) for place in sorted(inside & written))),
    )
    return Draft(replace(found.envelope, file=file), tuple(left_out))


class _Search:
    """Finds places of credentials; looks at a bounded number of entries in all."""

    def __init__(self) -> None:
        self._left = _MOST_ENTRIES
        self._seen: set[str] = set()

    @property
    def spent(self) -> bool:
        """Whether something was left to look at."""
        return self._left < 0

    def below(self, top: str) -> Iterator[str]:
        """Yield the places at and below `top`, which no other call has looked at."""
        todo = [top]
        while todo:
            directory = todo.pop()
            if directory in self._seen:
                continue
            self._seen.add(directory)
            try:
                with os.scandir(directory) as found:
                    entries = list(islice(found, self._left + 1))
            except OSError:  # gone, no directory, or not ours to read, and so not the run's
                continue
            for entry in entries:
                self._left -= 1
                if self._left < 0:
                    return
                if is_sensitive(entry.path):
                    yield entry.path
                elif entry.is_dir(follow_symlinks=False):
                    todo.append(entry.path)
