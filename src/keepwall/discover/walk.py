"""Walk a tree by directory descriptors: sorted, bounded, no link followed."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from keepwall.discover.limits import Limits
from keepwall.discover.reading import FOLDER, os_reason, shown_path
from keepwall.vocabulary.fact import Unread


@dataclass(frozen=True, slots=True)
class Entry:
    """A regular file: its path below the root, and where to open it."""

    path: str
    name: str
    directory: int


@dataclass(slots=True)
class _Level:
    """A directory that is being walked."""

    descriptor: int
    prefix: str
    waiting: Iterator[tuple[str, int]]


@dataclass(slots=True)
class Walk:
    """Yields the files below `root`; `skipped` counts directories left out by convention."""

    root: Path
    limits: Limits
    skipped_names: Collection[str]
    skipped: int = 0
    files: int = 0
    deadline: float = field(init=False)
    _levels: list[_Level] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Start the clock."""
        self.deadline = time.monotonic() + self.limits.seconds

    def entries(self) -> Iterator[Entry | Unread]:
        """Yield every regular file, and every place that is not read with the reason."""
        try:
            yield from self._open(str(self.root), None, "")
            while self._levels:
                yield from self._step(self._levels[-1])
                if self.files >= self.limits.files or time.monotonic() > self.deadline:
                    place = self._levels[-1].prefix if self._levels else ""
                    many = self.files >= self.limits.files
                    what = f"{self.limits.files} files" if many else f"{self.limits.seconds:g} s"
                    yield Unread(shown_path(place) or ".", f"the walk stopped here after {what}")
                    return
        finally:
            for level in self._levels:
                os.close(level.descriptor)
            self._levels.clear()

    def _open(self, name: str, parent: int | None, prefix: str) -> Iterator[Unread]:
        """Enter a directory."""
        place = shown_path(prefix.rstrip("/")) or "."
        if len(self._levels) >= self.limits.depth:
            yield Unread(place, f"nested deeper than {self.limits.depth} directories")
            return
        flags = FOLDER if parent is not None else FOLDER & ~os.O_NOFOLLOW
        try:
            descriptor = os.open(name, flags, dir_fd=parent)
        except OSError as error:
            yield Unread(place, os_reason(error))
            return
        try:
            with os.scandir(descriptor) as found:
                names = sorted((each.name, _mode(each)) for each in found)
        except OSError as error:
            os.close(descriptor)
            yield Unread(place, os_reason(error))
            return
        self._levels.append(_Level(descriptor, prefix, iter(names)))

    def _step(self, level: _Level) -> Iterator[Entry | Unread]:
        """Handle the next entry of the innermost directory."""
        name, mode = next(level.waiting, ("", 0))
        if not name:
            os.close(self._levels.pop().descriptor)
            return
        path = level.prefix + name
        if stat.S_ISDIR(mode):
            if name in self.skipped_names:
                self.skipped += 1
            else:
                yield from self._open(name, level.descriptor, path + "/")
        elif stat.S_ISREG(mode):
            self.files += 1
            yield Entry(path, name, level.descriptor)
        elif stat.S_ISLNK(mode):
            if (reason := self._link(name, level.descriptor)) is not None:
                yield Unread(shown_path(path), reason)
        else:
            yield Unread(shown_path(path), _special(mode))

    def _link(self, name: str, directory: int) -> str | None:
        """Return why a link is not followed; None where its target is read in its own place."""
        try:
            target = os.stat(name, dir_fd=directory)
            # realpath reads the link again, which may be gone by then.
            real = os.path.realpath(f"/proc/self/fd/{directory}/{name}")
        except OSError as error:
            return (
                "symbolic link loop" if error.errno == errno.ELOOP else "symbolic link to nothing"
            )
        if stat.S_ISDIR(target.st_mode):
            return "symbolic link to a directory, not followed"
        inside = os.path.realpath(self.root) + os.sep
        if not stat.S_ISREG(target.st_mode) or not real.startswith(inside):
            return "symbolic link that leaves the tree, not followed"
        return None


def _mode(entry: os.DirEntry[str]) -> int:
    """Return the type bits of an entry without following it; 0 where it vanished."""
    if entry.is_symlink():
        return stat.S_IFLNK
    if entry.is_dir(follow_symlinks=False):
        return stat.S_IFDIR
    if entry.is_file(follow_symlinks=False):
        return stat.S_IFREG
    try:
        return stat.S_IFMT(entry.stat(follow_symlinks=False).st_mode)
    except OSError:
        return 0


def _special(mode: int) -> str:
    names = (
        (stat.S_ISFIFO, "named pipe"),
        (stat.S_ISSOCK, "socket"),
        (stat.S_ISCHR, "character device"),
        (stat.S_ISBLK, "block device"),
    )
    found = next((name for check, name in names if check(mode)), "")
    return f"{found}, not read" if found else "vanished while it was read"
