"""Signed documents on disk, for when the control plane is dead.

What lies here was written by whoever watches the bus and is checked again when it is read: the
directory may have been changed by others. A file with the highest generation of each key stands
beside the documents, so that an older document does not pass for the present one, and a document
that was removed is missed. Whoever can write the directory can take both back together; the nodes
that are connected see it then, because the bus has the newer one.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Self

import msgspec

from keepwall.foundation.bus.contract import MAX_VALUE, check_bucket
from keepwall.foundation.bus.signed import Document, Generations, Verifier, document_name, unseal
from keepwall.vocabulary.errors import ConfigError, IntegrityError

_log = logging.getLogger(__name__)

MAX_DOCUMENTS = 10_000
"""Most documents read of one bucket."""
SUFFIX = ".dsse.json"

_MARKS = "generations.json"
_MAX_MARKS = 4 * 1024 * 1024
_Marks = dict[str, Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """The documents that hold, and one line for each file that does not."""

    documents: list[Document]
    refused: list[str]


class SnapshotDirectory:
    """One folder per bucket, one file per document."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def has(self, bucket: str) -> bool:
        """Return whether anything was written for `bucket`; cheap."""
        check_bucket(bucket)
        try:
            with os.scandir(self._path / bucket) as entries:
                return next(entries, None) is not None
        except OSError:
            return False

    def generations(self, bucket: str) -> dict[str, int]:
        """Return the highest generation seen by key; empty when none is known or it is damaged."""
        try:
            with _Folder(self._path / bucket) as folder:
                return folder.marks()
        except (OSError, IntegrityError):
            return {}

    def write(self, document: Document) -> None:
        """Store a document that was verified, atomically and durably.

        Raises:
            IntegrityError: a higher generation was seen before.
            ConfigError: the directory cannot be written.
        """
        try:
            with _Folder(self._path / document.bucket, create=True) as folder:
                marks = _marks_or_none(folder)
                highest = marks.get(document.key, 0)
                if document.generation < highest:
                    raise IntegrityError(
                        f"{document.bucket}/{document.key} is generation {document.generation}, "
                        f"but {highest} was seen"
                    )
                folder.replace(document_name(document.key) + SUFFIX, document.envelope)
                if document.generation > highest:
                    marks[document.key] = document.generation
                    folder.replace(_MARKS, msgspec.json.encode(marks))
        except OSError as error:
            raise ConfigError(
                f"the snapshot directory {self._path} cannot be written: {error.strerror}"
            ) from error

    def load(self, bucket: str, verifier: Verifier, at: datetime) -> Loaded:
        """Return the documents of `bucket` that hold at the time `at`, and what was refused.

        Withdrawn documents are among them, with a `body` of None.
        """
        check_bucket(bucket)
        loaded = Loaded([], [])
        try:
            with _Folder(self._path / bucket) as folder:
                _load(folder, bucket, verifier, at, loaded)
        except FileNotFoundError:
            pass
        except OSError as error:
            loaded.refused.append(f"{bucket}: {error.strerror}")
        return loaded


class _Folder:
    """The folder of one bucket, held open so that nothing can be put in its place meanwhile."""

    def __init__(self, path: Path, *, create: bool = False) -> None:
        if create:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._descriptor = os.open(
            path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)

    def names(self) -> Iterator[str]:
        with os.scandir(self._descriptor) as entries:
            for entry in entries:
                if entry.name.endswith(SUFFIX):
                    yield entry.name

    def read(self, name: str, limit: int) -> bytes:
        """Return the content of a regular file; a FIFO does not block and a link is not followed.

        Raises:
            IntegrityError: it is no regular file or larger than `limit`.
        """
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        with os.fdopen(os.open(name, flags, dir_fd=self._descriptor), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise IntegrityError(f"{name} is not a regular file")
            content = file.read(limit + 1)
        if len(content) > limit:
            raise IntegrityError(f"{name} is over {limit} bytes")
        return content

    def replace(self, name: str, content: bytes) -> None:
        """Write a file so that a reader sees the old or the new content, also after a crash."""
        temporary = f".{name}.{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        opened = os.open(temporary, flags, 0o600, dir_fd=self._descriptor)
        with os.fdopen(opened, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        os.fsync(self._descriptor)

    def marks(self) -> dict[str, int]:
        """Return the highest generations.

        Raises:
            IntegrityError: the file is damaged.
        """
        try:
            return msgspec.json.decode(self.read(_MARKS, _MAX_MARKS), type=_Marks)
        except FileNotFoundError:
            return {}
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise IntegrityError(f"{_MARKS} is damaged") from error


def _marks_or_none(folder: _Folder) -> dict[str, int]:
    """Return the generations; a damaged file is said aloud and begun anew."""
    try:
        return folder.marks()
    except IntegrityError as error:
        _log.error("snapshots: %s; generations are counted from here on", error.message)
        return {}


def _load(folder: _Folder, bucket: str, verifier: Verifier, at: datetime, loaded: Loaded) -> None:
    marks: dict[str, int] = {}
    try:
        marks = folder.marks()
    except (OSError, IntegrityError) as error:
        loaded.refused.append(f"{bucket}: {_reason(error)}")
    generations = Generations(marks)
    found: set[str] = set()
    for name in folder.names():
        if len(found) == MAX_DOCUMENTS:
            loaded.refused.append(f"{bucket}: more than {MAX_DOCUMENTS} documents")
            break
        found.add(name)
        try:
            content = folder.read(name, MAX_VALUE)
            document = unseal(verifier, bucket, name.removesuffix(SUFFIX), content, at)
            generations.admit(document)
        except (OSError, IntegrityError) as error:
            loaded.refused.append(f"{bucket}/{name}: {_reason(error)}")
        else:
            loaded.documents.append(document)
    loaded.documents.sort(key=lambda document: document.key)
    loaded.refused.extend(
        f"{bucket}/{document_name(key)}{SUFFIX} is missing, generation {generation} was seen"
        for key, generation in marks.items()
        if document_name(key) + SUFFIX not in found
    )


def _reason(error: OSError | IntegrityError) -> str:
    return error.message if isinstance(error, IntegrityError) else str(error.strerror)
