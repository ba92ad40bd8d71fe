"""The spool: events as one process saw them, on disk before anyone else knows of them.

One file per run. It is what `explain` reads when no control plane runs, and what a control plane
takes in when it starts; an event is known by its id, so taking it in twice is harmless.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from keepwall.formats.ocsf import decode_batch, encode_batch
from keepwall.vocabulary.errors import ConfigError, FormatError
from keepwall.vocabulary.event import Event

_SUFFIX = ".ocsf.jsonl"
_MOST_BYTES = 64 * 1024 * 1024
_READ_LINES = 500


class Spool:
    """The file of one run, held with a lock while its writer lives."""

    def __init__(self, directory: Path, name: str) -> None:
        """Create the file.

        Raises:
            ConfigError: it cannot be written.
        """
        self.path = directory / f"{name}{_SUFFIX}"
        self._bytes = 0
        self._torn = False
        self.lost = 0
        """Events that did not fit or could not be written; never silent: said at the end."""
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
            self._fd = os.open(self.path, flags, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigError(
                f"the spool {self.path} cannot be written: {error.strerror}",
                hint="set KEEPWALL_STATE to a directory that you may write",
            ) from error

    def emit(self, event: Event) -> None:
        """Append one event; what cannot be written is counted in `lost`."""
        line = encode_batch([event]).rstrip(b"\n") + b"\n"
        if self._torn:  # a full disk has cut the last line: it ends here, so that this one begins
            line = b"\n" + line
        if self._bytes + len(line) > _MOST_BYTES:
            self.lost += 1
            return
        try:
            written = os.write(self._fd, line)
        except OSError:
            self.lost += 1
            return
        self._bytes += written
        self._torn = written < len(line)
        self.lost += self._torn

    def close(self) -> None:
        """Close the file; an empty one is removed."""
        if not self._bytes:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._fd)


def events(path: Path) -> Iterator[Sequence[Event]]:
    """Yield the events of a spool file in batches; a line cut by a crash is passed over."""
    batch: list[bytes] = []
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                batch.append(line)
            if len(batch) >= _READ_LINES:
                yield _decode(batch)
                batch = []
    if batch:
        yield _decode(batch)


def _decode(lines: list[bytes]) -> Sequence[Event]:
    try:
        return decode_batch(b"".join(lines))
    except FormatError:
        found: list[Event] = []
        for line in lines:
            with contextlib.suppress(FormatError):
                found += decode_batch(line)
        return found


def files(directory: Path) -> Sequence[Path]:
    """Return the spool files, oldest first."""
    try:
        return sorted(directory.glob(f"*{_SUFFIX}"), key=lambda path: path.stat().st_mtime)
    except OSError:
        return []


def abandoned(path: Path) -> bool:
    """Return whether no living process writes the file any more."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def find(directory: Path, event_id: str) -> Event | None:
    """Return the spooled event with this id, or None; newest files first."""
    for path in reversed(files(directory)):
        with contextlib.suppress(OSError):
            for batch in events(path):
                for event in batch:
                    if event.id == event_id:
                        return event
    return None
