"""Discover the AI in a tree of files: one pass, every file read once, nothing run."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from keepwall.discover.catalogue import catalogue
from keepwall.discover.context import owners_text, tree_context
from keepwall.discover.examine import examine, wanted
from keepwall.discover.gathering import Gathering
from keepwall.discover.git_history import discover_history
from keepwall.discover.git_state import history_state
from keepwall.discover.limits import Limits
from keepwall.discover.packed import pack, unpack
from keepwall.discover.project import ProjectNotes
from keepwall.discover.reading import UnreadableError, opened, os_reason, shown_path
from keepwall.discover.remembered import Remembered, epoch, mark, settled
from keepwall.discover.source import TreeContext
from keepwall.discover.walk import Entry, Walk
from keepwall.discover.workers import BATCH, Job, Task, Workers
from keepwall.rulebook.interest import Asked
from keepwall.vocabulary.errors import ConfigError, FormatError
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.scan import Inventory

Progress = Callable[[int, str], None]
"""Called with the number of files looked at and the path of the present one."""

_HISTORY = "/"
"""Where the history is remembered: no path below a root is called so."""
_ALONE = 4 * BATCH
"""As many files are read in this process before others are started for the rest."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class How:
    """How a tree is read: `memory` keeps what each file showed, `processes` read beside this one.

    `asked` makes, in each process, what tells whether a call in code matters to anyone.
    """

    limits: Limits = field(default_factory=Limits)
    progress: Progress | None = None
    asked: Callable[[], Asked] | None = None
    memory: Path | None = None
    processes: int = 0


def discover_tree(root: Path, how: How = How()) -> Inventory:
    """Return the AI that the files below `root` show, or `root` itself where it is a file.

    A file that cannot be read, is too large or is not what it claims becomes `unread`; links are
    not followed and no ignore file in the tree is honoured.

    Raises:
        ConfigError: `root` is neither a directory nor a regular file.
    """
    if not root.is_file() and not root.is_dir():
        raise ConfigError(
            f"{shown_path(str(root))} is not a directory or file",
            hint="name a directory or a file to scan",
        )
    started = time.monotonic()
    file = root.resolve() if root.is_file() else None
    scan = _TreeScan(file.parent if file else root, how)
    skipped = 0
    if file:
        descriptor = os.open(file.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            scan.read(iter([Entry(file.name, file.name, descriptor)]))
        finally:
            os.close(descriptor)
    else:
        walk = Walk(root, how.limits, frozenset(catalogue().files["skipped_directories"]))
        scan.read(walk.entries())
        scan.read_history()
        skipped = walk.skipped
    scan.remember()
    inventory = scan.inventory()
    _log.info(
        "looked at %d files, %d bytes, in %.2f s; %d directories skipped",
        inventory.files,
        inventory.bytes,
        time.monotonic() - started,
        skipped,
    )
    return inventory


@dataclass(slots=True)
class _Turn:
    """A file whose observations are gathered in the order of the walk."""

    path: str
    mark: bytes = b""
    data: bytes | None = None


@dataclass(slots=True)
class _TreeScan:
    """One pass over a tree."""

    root: Path
    how: How
    context: TreeContext = field(init=False)
    memory: Remembered | None = field(init=False)
    gathering: Gathering = field(default_factory=Gathering)
    notes: ProjectNotes = field(default_factory=ProjectNotes)
    turns: dict[int, _Turn] = field(default_factory=dict)
    next_turn: int = 0
    files: int = 0
    size: int = 0
    read_here: int = 0

    def __post_init__(self) -> None:
        """Look at what the tree says of itself."""
        how = self.how
        self.context = tree_context(self.root, how.limits, how.asked() if how.asked else None)
        about = (self.context.project.id, owners_text(self.root), str(how.asked is None))
        self.memory = Remembered(how.memory, epoch(how.limits, *about)) if how.memory else None
        self.gathering.add([self.context.project])

    def read(self, entries: Iterator[Entry | Unread]) -> None:
        """Gather what the files show."""
        workers = Workers(Task(str(self.root), self.how.limits, self.how.asked), self.how.processes)
        try:
            for number, data, alone in workers.answer(self._batches(entries)):
                self._answered(number, data, alone=alone)
        finally:
            workers.close()

    def read_history(self) -> None:
        """Gather the credentials that only the history still holds."""
        state = history_state(self.root)
        known = self.memory.look(_HISTORY, state) if self.memory and state else None
        if known is None:
            known = pack(list(discover_history(self.root, self.context.project)))
            if self.memory and state:
                self.memory.note(_HISTORY, state, known)
        self.gathering.add(unpack(known))

    def remember(self) -> None:
        """Keep what was seen for the next time."""
        if self.memory:
            self.memory.save()

    def inventory(self) -> Inventory:
        """Return what was gathered."""
        self.gathering.add([self.notes.fact(self.context.project)])
        return self.gathering.inventory(files=self.files, size=self.size)

    def _batches(self, entries: Iterator[Entry | Unread]) -> Iterator[list[Job]]:
        """Yield what others are to read; what is known, or is little, is done on the way."""
        batch: list[Job] = []
        for number, each in enumerate(self._worth(entries)):
            path = each.path
            turn = self.turns[number] = _Turn(path)
            try:
                status = os.stat(each.name, dir_fd=each.directory, follow_symlinks=False)
            except OSError as error:
                self._answered(number, pack([Unread(shown_path(path), os_reason(error))]))
                continue
            turn.mark = mark(status)
            if self.memory and (known := self.memory.look(path, turn.mark)) is not None:
                self.size += status.st_size
                self._answered(number, known)
            elif self._room(number, status.st_size):
                if self.how.processes and self.read_here >= _ALONE:
                    batch.append((number, path))
                else:
                    self.read_here += 1
                    self._read_here(number, each)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch

    def _worth(self, entries: Iterator[Entry | Unread]) -> Iterator[Entry]:
        """Yield the files that a source wants; what cannot be reached is gathered as unread."""
        for each in entries:
            if isinstance(each, Unread):
                self.gathering.add([each])
                continue
            self.files += 1
            path = shown_path(each.path)
            if self.how.progress is not None:
                self.how.progress(self.files, path)
            if self.notes.wants(path):
                self._note(path, each)
            if wanted(path, self.context):
                yield each

    def _room(self, number: int, size: int) -> bool:
        """Return whether another `size` bytes may be read."""
        limits = self.how.limits
        taken = size if size <= limits.bytes_per_file else 0
        if self.size + taken > limits.total_bytes:
            path = shown_path(self.turns[number].path)
            reason = f"over the {limits.total_bytes} bytes that are read in all"
            self._answered(number, pack([Unread(path, reason)]))
            return False
        self.size += taken
        return True

    def _read_here(self, number: int, entry: Entry) -> None:
        path = shown_path(entry.path)
        try:
            with opened(entry.name, entry.directory) as file:
                before = self.context.near.asked
                data = pack(examine(path, file, self.context))
            self._answered(number, data, alone=self.context.near.asked == before)
        except (UnreadableError, FormatError) as error:
            self._answered(number, pack([Unread(path, str(error))]))

    def _note(self, path: str, entry: Entry) -> None:
        """Look at what a file at the top says of the project; its source names what is unread."""
        try:
            with opened(entry.name, entry.directory) as file:
                self.notes.note(path, file.read_at(0, self.how.limits.source_bytes))
        except (UnreadableError, FormatError):
            return

    def _answered(self, number: int, data: bytes, *, alone: bool = False) -> None:
        """Take one answer in, and gather all whose turn has come.

        What depends on this file `alone` may be remembered.
        """
        done = self.turns[number]
        done.data = data
        if alone and self.memory and settled(done.mark):
            self.memory.note(done.path, done.mark, data)
        while (turn := self.turns.get(self.next_turn)) and turn.data is not None:
            self.gathering.add(unpack(turn.data))
            del self.turns[self.next_turn]
            self.next_turn += 1
