"""What every part of a look at a host needs: where it is, who lives there, and until when."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from keepwall.discover.host_processes import HostProcesses
from keepwall.discover.host_users import HostUsers
from keepwall.discover.reading import UnreadableError, opened, os_reason, shown_path
from keepwall.discover.source import TreeContext
from keepwall.formats.plain_text import visible
from keepwall.vocabulary.asset import Asset
from keepwall.vocabulary.errors import FormatError

_MOST_GLOBBED = 5_000


@dataclass(frozen=True, slots=True)
class HostView:
    """A host: its ``/proc`` and root, users and processes; `ends` is on the monotonic clock."""

    proc: Path
    root: Path
    users: HostUsers
    processes: HostProcesses
    context: TreeContext
    ends: float

    @property
    def host(self) -> Asset:
        """The asset of the host."""
        return self.context.project

    @property
    def late(self) -> bool:
        """Whether the time for this look is over."""
        return time.monotonic() > self.ends

    def shown(self, path: Path) -> str:
        """Return a path below the root as it is on the host."""
        return visible(shown_path(f"/{path.relative_to(self.root)}"))


def entries(folder: Path, limit: int) -> tuple[list[os.DirEntry[str]], str]:
    """Return up to `limit` entries of a folder, sorted, and why they may not be all.

    A folder that does not exist has no entries, and nothing is missing.
    """
    found: list[os.DirEntry[str]] = []
    try:
        with os.scandir(folder) as listing:
            for entry in listing:
                if len(found) >= limit:
                    return sorted(found, key=_name), f"more than {limit} entries"
                found.append(entry)
    except (FileNotFoundError, NotADirectoryError):
        return [], ""
    except OSError as error:
        return [], os_reason(error)
    return sorted(found, key=_name), ""


def _name(entry: os.DirEntry[str]) -> str:
    return entry.name


def contents(path: Path, limit: int) -> bytes | None:
    """Return a file of at most `limit` bytes, or None where there is none.

    A link is followed to a file that everyone may read, or that belongs to the owner of the link:
    homes are full of them, and none may lead whoever looks to what its owner could not read.

    Raises:
        UnreadableError: there is one, and it cannot be read.
    """
    try:
        link = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UnreadableError(os_reason(error)) from error
    except ValueError:
        return None  # no path: it holds a zero byte
    linked = stat.S_ISLNK(link.st_mode)
    name = os.path.realpath(path) if linked else str(path)
    if linked and not os.path.lexists(name):
        return None
    try:
        with opened(name) as file:
            status = os.fstat(file.descriptor)
            if linked and status.st_uid != link.st_uid and not status.st_mode & stat.S_IROTH:
                raise UnreadableError("a link to a file of another user")
            if file.size > limit:
                raise UnreadableError(f"{file.size} bytes, more than {limit}")
            return file.read_at(0, limit)
    except FormatError as error:
        raise UnreadableError(error.message) from error


def below(root: Path, path: str) -> Path:
    """Return an absolute path of the host below `root`; ``..`` leads nowhere else."""
    parts = [part for part in path.split("/") if part not in ("", ".", "..")]
    return root.joinpath(*parts)


def barrier(path: Path, root: Path) -> Path:
    """Return the first folder on the way to `path` that may not be entered, else `path`."""
    for folder in reversed(path.parents):
        if folder.is_relative_to(root) and not os.access(folder, os.X_OK):
            return folder
    return path


def globbed(root: Path, pattern: str, crowded: set[Path]) -> Iterator[Path]:
    """Yield the folders that a pattern such as ``opt/*/lib`` stands for below `root`, sorted.

    Folders with more entries than are looked at are added to `crowded`.
    """
    yield from _expanded(root, pattern.split("/"), crowded)


def _expanded(folder: Path, parts: list[str], crowded: set[Path]) -> Iterator[Path]:
    literal = next((at for at, part in enumerate(parts) if "*" in part), len(parts))
    folder = folder.joinpath(*parts[:literal])
    if literal == len(parts):
        if os.path.isdir(folder):  # noqa: PTH112 - never raises, whatever the name
            yield folder
        return
    found, why = entries(folder, _MOST_GLOBBED)
    if why.startswith("more"):
        crowded.add(folder)
    for entry in found:
        if fnmatchcase(entry.name, parts[literal]):
            yield from _expanded(folder / entry.name, parts[literal + 1 :], crowded)
