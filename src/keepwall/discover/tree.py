"""Discover the AI in a tree of files: one pass, every file read once, nothing run."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from keepwall.discover.catalogue import catalogue
from keepwall.discover.gathering import Gathering
from keepwall.discover.limits import Limits
from keepwall.discover.model_files import may_be_model, observe_model
from keepwall.discover.project import CODEOWNERS, ProjectNotes, read_codeowners
from keepwall.discover.reading import OpenFile, UnreadableError, opened, shown_path
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.discover.sources import SOURCES
from keepwall.discover.walk import Entry, Walk
from keepwall.vocabulary.asset import Asset, AssetKind, Location
from keepwall.vocabulary.errors import ConfigError, FormatError
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.scan import Inventory, Observation
from keepwall.vocabulary.surface import Surface

Progress = Callable[[int, str], None]
"""Called with the number of files looked at and the path of the present one."""

_log = logging.getLogger(__name__)


def discover_tree(
    root: Path,
    limits: Limits = Limits(),  # noqa: B008 - frozen
    progress: Progress | None = None,
) -> Inventory:
    """Return the AI that the files below `root` show, or `root` itself where it is a file.

    A file that cannot be read, is too large or is not what it claims becomes `unread`; links are
    not followed and no ignore file in the tree is honoured.

    Raises:
        ConfigError: `root` is neither a directory nor a regular file.
    """
    if root.is_file():
        return _discover_file(root.resolve(), limits, progress)
    if not root.is_dir():
        raise ConfigError(
            f"{shown_path(str(root))} is not a directory or file",
            hint="name a directory or a file to scan",
        )
    started = time.monotonic()
    scan = _TreeScan(_context(root, limits), limits, Gathering(), progress)
    walk = Walk(root, limits, frozenset(catalogue().files["skipped_directories"]))
    scan.gathering.add([scan.context.project])
    for each in walk.entries():
        if isinstance(each, Unread):
            scan.gathering.add([each])
        else:
            scan.read(each, walk.files)
    scan.gathering.add([scan.notes.fact(scan.context.project)])
    _log.info(
        "looked at %d files, %d bytes, in %.2f s; %d directories skipped",
        walk.files,
        scan.size,
        time.monotonic() - started,
        walk.skipped,
    )
    return scan.gathering.inventory(files=walk.files, size=scan.size)


def _discover_file(file: Path, limits: Limits, progress: Progress | None) -> Inventory:
    """Return what one file shows, as part of the directory that it lies in."""
    scan = _TreeScan(_context(file.parent, limits), limits, Gathering(), progress)
    scan.gathering.add([scan.context.project])
    descriptor = os.open(file.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        scan.read(Entry(file.name, file.name, descriptor), 1)
    finally:
        os.close(descriptor)
    scan.gathering.add([scan.notes.fact(scan.context.project)])
    return scan.gathering.inventory(files=1, size=scan.size)


def _context(root: Path, limits: Limits) -> TreeContext:
    name = shown_path(root.resolve().name) or "root"
    owners = _owners(root)
    project = Asset(AssetKind.PROJECT, name, name, Surface.PIPELINE, (Location("."),), owners(""))
    return TreeContext(project, catalogue(), limits, owners)


def _owners(root: Path) -> Callable[[str], str]:
    for place in CODEOWNERS:
        try:
            with opened(str(root / place)) as file:
                return read_codeowners(file.read_at(0, 1 << 20).decode("utf-8", "replace"))
        except (UnreadableError, FormatError):
            continue
    return lambda _path: ""


@dataclass(slots=True)
class _TreeScan:
    """One pass over a tree."""

    context: TreeContext
    limits: Limits
    gathering: Gathering
    progress: Progress | None
    notes: ProjectNotes = field(default_factory=ProjectNotes)
    size: int = 0

    def read(self, entry: Entry, count: int) -> None:
        """Hand one file to the sources that want it."""
        path = shown_path(entry.path)
        if self.progress is not None:
            self.progress(count, path)
        sources = [each for each in SOURCES if each.wants(path, self.context)]
        notes = self.notes.wants(path)
        if not sources and not notes and not may_be_model(path, self.context):
            return
        try:
            with opened(entry.name, entry.directory) as file:
                self._observe(path, file, sources, notes=notes)
        except (UnreadableError, FormatError) as error:
            self.gathering.add([Unread(path, str(error))])

    def _observe(self, path: str, file: OpenFile, sources: list[Source], *, notes: bool) -> None:
        if not sources and not notes:
            is_model, seen = observe_model(path, file, self.context)
            self.gathering.add(seen)
            if not is_model and file.size > self.limits.bytes_per_file:
                self._refuse(path, file.size)
            return
        if file.size > self.limits.bytes_per_file:
            self._refuse(path, file.size)
            return
        if self.size + file.size > self.limits.total_bytes:
            self.gathering.add(
                [Unread(path, f"over the {self.limits.total_bytes} bytes that are read in all")]
            )
            return
        view = FileView(path, file.read_at(0, file.size))
        self.size += len(view.data)
        if notes:
            self.notes.note(path, view.data)
        for source in sources:
            try:
                self.gathering.add(self._bounded(path, source.observe(view, self.context)))
            except FormatError as error:
                self.gathering.add([Unread(path, error.message)])

    def _bounded(self, path: str, seen: Iterator[Observation]) -> Iterator[Observation]:
        """Yield what was seen in a file up to the limit of facts, then say that there was more."""
        facts = 0
        for each in seen:
            facts += isinstance(each, Fact)
            if facts > self.limits.facts_per_file:
                yield Unread(path, f"more than {facts - 1} facts; the rest was left out")
                return
            yield each

    def _refuse(self, path: str, size: int) -> None:
        limit = self.limits.bytes_per_file
        self.gathering.add([Unread(path, f"{size} bytes, more than the {limit} that are read")])
