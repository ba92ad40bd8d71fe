"""Credentials in what a Git repository still holds though its checked-out tree does not show it.

Every commit in the object store counts, also of other branches and those that no branch reaches
any more; so do blobs that no commit names and the texts of commits and tags. Each is read once.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from keepwall.content.secrets import find_secrets_in_bytes
from keepwall.discover.catalogue import catalogue
from keepwall.discover.git_store import ObjectStore
from keepwall.discover.reading import FOLDER, UnreadableError, opened, os_reason, shown_path
from keepwall.discover.secret_facts import is_searched, observe_secret
from keepwall.formats.git_objects import BLOB, COMMIT, TAG, Commit, read_commit, tree_entries
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.scan import Observation

_REFERENCE = re.compile(rb"(?:ref: )?(refs/[\w./@+-]{1,400}|[0-9a-f]{40}|[0-9a-f]{64})\s*\Z")
_PACKED = re.compile(rb"^([0-9a-f]{40}|[0-9a-f]{64}) (refs/[^\s]{1,400})$", re.MULTILINE)
_SMALL_FILE = 16 << 20
_DEPTH = 60
_BINARY_HEAD = 8_000
_NAMED_DAMAGES = 20
_SHORT_ID = 12
_GIT = ".git"


@dataclass(frozen=True, slots=True)
class HistoryLimits:
    """Bounds of one history; what lies beyond is named. `seconds` is wall time."""

    objects: int = 400_000
    object_bytes: int = 4 << 20
    total_bytes: int = 2 << 30
    seconds: float = 60.0


def discover_history(
    root: Path,
    holder: Asset,
    limits: HistoryLimits = HistoryLimits(),
) -> Iterator[Observation]:
    """Yield each credential of the repository in `root` that its checked-out tree does not hold.

    The location is ``commit:path``, as ``git show`` takes it. Nothing is yielded where `root` has
    no ``.git``. Objects that are damaged, too large or over the limits are named; links are not
    followed, alternates and configuration not read, and no program is started.
    """
    try:
        top = os.open(root, FOLDER & ~os.O_NOFOLLOW)
    except OSError:
        return
    try:
        git = os.open(_GIT, FOLDER, dir_fd=top)
    except FileNotFoundError:
        return
    except OSError as error:
        yield Unread(_GIT, f"not a directory here: {os_reason(error)}; its history is not read")
        return
    finally:
        os.close(top)
    try:
        objects = os.open("objects", FOLDER, dir_fd=git)
    except OSError as error:
        yield Unread(f"{_GIT}/objects", os_reason(error))
        os.close(git)
        return
    try:
        with closing(ObjectStore(objects, limits.objects, limits.object_bytes)) as store:
            yield from store.load()
            yield from _History(store, limits, holder).observe(_head(git))
    finally:
        os.close(objects)
        os.close(git)


def _head(git: int) -> bytes:
    """Return the id of the commit that is checked out; empty where that is not to be found."""
    found = _REFERENCE.match(_small("HEAD", git))
    for _ in range(5):
        if found is None:
            return b""
        if not found[1].startswith(b"refs/"):
            return bytes.fromhex(found[1].decode())
        name = found[1]
        if b".." in name:
            return b""
        text = _small(name.decode(), git)
        found = _REFERENCE.match(text)
        if not text:
            packed = {each[2]: each[1] for each in _PACKED.finditer(_small("packed-refs", git))}
            return bytes.fromhex(packed.get(name, b"").decode())
    return b""


def _small(name: str, directory: int) -> bytes:
    try:
        with opened(name, directory) as file:
            return file.read_at(0, min(file.size, _SMALL_FILE))
    except (UnreadableError, FormatError):
        return b""


@dataclass(slots=True)
class _History:
    """One pass over a store: what is checked out first, then commits from the oldest on."""

    store: ObjectStore
    limits: HistoryLimits
    holder: Asset
    deadline: float = 0.0
    size: int = 0
    trees: set[bytes] = field(default_factory=set)
    blobs: set[bytes] = field(default_factory=set)
    known: set[tuple[str, str]] = field(default_factory=set)
    damaged: list[Unread] = field(default_factory=list)
    missing: int = 0

    def observe(self, head: bytes) -> Iterator[Observation]:
        """Yield the credentials, then what could not be read."""
        self.deadline = time.monotonic() + self.limits.seconds
        for _ in self._commit(head, self._parse(head)):
            pass  # what the checked-out tree holds is reported where it stands
        kinds = self._kinds()
        commits = [(commit.time, each) for each in kinds[COMMIT] if (commit := self._parse(each))]
        steps = [(each, kinds[COMMIT]) for _, each in sorted(commits)]
        steps += [(each, {}) for kind in (TAG, BLOB) for each in kinds[kind]]
        for number, (each, walked) in enumerate(steps):
            if self._over():
                reason = f"{len(steps) - number} commits, tags and blobs are not read: over "
                limit = f"{self.limits.seconds:g} s or {self.limits.total_bytes} bytes"
                yield Unread(f"{_GIT}/objects", reason + limit)
                break
            if each not in self.blobs:
                yield from self._object(each, each.hex()[:_SHORT_ID], "")
            if each in walked:
                yield from self._commit(each, self._parse(each))
        yield from self._unread()

    def _unread(self) -> Iterator[Unread]:
        if self.missing:
            reason = (
                f"{self.missing} objects are not here: the clone is shallow, partial or damaged"
            )
            yield Unread(f"{_GIT}/objects", reason)
        yield from self.damaged[:_NAMED_DAMAGES]
        if len(self.damaged) > _NAMED_DAMAGES:
            more = len(self.damaged) - _NAMED_DAMAGES
            yield Unread(f"{_GIT}/objects", f"{more} more objects cannot be read")

    def _kinds(self) -> dict[str, dict[bytes, None]]:
        """Return the ids of commits, tags and blobs, in the order of the store."""
        kinds: dict[str, dict[bytes, None]] = {COMMIT: {}, TAG: {}, BLOB: {}}
        for each in self.store.places:
            try:
                kind = self.store.kind(each)
            except FormatError as error:
                self._damage(each, error)
                continue
            if kind in kinds:
                kinds[kind][each] = None
        return kinds

    def _parse(self, each: bytes) -> Commit | None:
        if not each:
            return None
        try:
            return read_commit(self.store.read(each).data)
        except FormatError as error:
            self._damage(each, error)
            return None

    def _commit(self, each: bytes, commit: Commit | None) -> Iterator[Observation]:
        """Yield what the files hold that are new in a commit."""
        waiting = [(commit.tree, "", 0)] if commit else []
        while waiting:
            tree, prefix, depth = waiting.pop()
            if tree in self.trees or self._over():
                continue
            self.trees.add(tree)
            try:
                entries = list(tree_entries(self.store.read(tree).data, len(tree)))
            except FormatError as error:
                self._damage(tree, error)
                continue
            for entry in entries:
                known = self.trees if entry.is_tree else self.blobs
                if entry.id in known:
                    continue
                path = prefix + shown_path(os.fsdecode(entry.name))
                if entry.is_tree and depth < _DEPTH:
                    waiting.append((entry.id, f"{path}/", depth + 1))
                elif entry.is_file:
                    self.blobs.add(entry.id)
                    if is_searched(path, catalogue().files):
                        yield from self._object(entry.id, each.hex()[:_SHORT_ID], path)

    def _object(self, each: bytes, name: str, path: str) -> Iterator[Observation]:
        """Yield the credentials in one object that were not seen before."""
        try:
            data = self.store.read(each).data
        except FormatError as error:
            self._damage(each, error)
            return
        self.size += len(data)
        if b"\0" in data[:_BINARY_HEAD]:
            return
        place = f"{name}:{path}" if path else name
        for match in find_secrets_in_bytes(data):
            if (match.detector, match.digest) not in self.known:
                self.known.add((match.detector, match.digest))
                yield from observe_secret(match, "history", place, self.holder, match.line)

    def _over(self) -> bool:
        return self.size > self.limits.total_bytes or time.monotonic() > self.deadline

    def _damage(self, each: bytes, error: FormatError) -> None:
        if each not in self.store.places:
            self.missing += 1
            return
        name = each.hex()
        self.damaged.append(Unread(f"{_GIT}/objects/{name[:2]}/{name[2:]}", error.message))
