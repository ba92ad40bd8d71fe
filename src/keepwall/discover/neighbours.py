"""Look at other files of the tree, for what only several files together say."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from keepwall.discover.reading import FOLDER, UnreadableError, open_folder, opened, os_reason
from keepwall.vocabulary.errors import FormatError

_MAXIMUM_BYTES = 16 << 20
_MAXIMUM_NAMES = 5_000


@dataclass(slots=True)
class Neighbours:
    """The files below `root`, by their paths in the tree; no link is followed.

    Without a root there are none, as for a host. `asked` counts the questions: what is said of a
    file after one depends on more than that file.
    """

    root: Path | None = None
    asked: int = 0

    def read(self, path: str, limit: int = _MAXIMUM_BYTES) -> bytes | None:
        """Return the content of a file, or None where it cannot be read or is over `limit`."""
        folder, name = posixpath.split(path)
        try:
            with self._folder(folder) as directory, opened(name, directory) as file:
                return file.read_at(0, file.size) if file.size <= limit else None
        except (UnreadableError, FormatError):
            return None

    def files(self, folder: str) -> tuple[str, ...]:
        """Return the names of the regular files in a folder, sorted; at most 5000."""
        return self._names(folder, folders=False)

    def folders(self, folder: str) -> tuple[str, ...]:
        """Return the names of the folders in a folder, sorted; at most 5000."""
        return self._names(folder, folders=True)

    def _names(self, folder: str, *, folders: bool) -> tuple[str, ...]:
        try:
            with self._folder(folder) as directory, os.scandir(directory) as entries:
                names = []
                for entry in entries:
                    is_one = entry.is_dir if folders else entry.is_file
                    if is_one(follow_symlinks=False):
                        names.append(entry.name)
                    if len(names) >= _MAXIMUM_NAMES:
                        break
                return tuple(sorted(names))
        except (UnreadableError, OSError):
            return ()

    @contextmanager
    def _folder(self, folder: str) -> Iterator[int]:
        """Open a folder, one part of its path after the other.

        Raises:
            UnreadableError: it is not a folder of this tree.
        """
        self.asked += 1
        if self.root is None:
            raise UnreadableError("outside of the tree")
        try:
            top = os.open(self.root, FOLDER & ~os.O_NOFOLLOW)
        except OSError as error:
            raise UnreadableError(os_reason(error)) from error
        try:
            descriptor = open_folder(top, folder)
        finally:
            os.close(top)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
