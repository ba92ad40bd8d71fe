"""Verifying a bundle offline: needs the file and, to believe it, the root's public key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from keepwall.foundation.ledger.head import LEDGER_ROLE, SignedHead
from keepwall.foundation.ledger.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from keepwall.foundation.trust import canonical
from keepwall.foundation.trust.statement import KEY_BYTES
from keepwall.foundation.trust.verify import Verifier
from keepwall.prove.bundle import FORMAT, MAX_HEADER_LINE, MAX_RECORD_LINE, concerns
from keepwall.prove.record import Recorded
from keepwall.prove.selection import SELECTION_TYPE, Selection
from keepwall.vocabulary.errors import ConfigError, FormatError, IntegrityError, KeepwallError

MAX_PROBLEMS = 50
"""After so many problems the rest of the file is not read."""
MAX_PROOF = 64
UNPINNED = "self-consistent, root not pinned"


@dataclass(frozen=True, slots=True)
class Verification:
    """What was found: `records` that hold, the head they are proven by, and every problem.

    `root` is the public root key that the bundle names. `trusted_root` says whether it is the one
    that the verifier was given; without it the file only agrees with itself.
    """

    records: int
    head: SignedHead | None
    trusted_root: bool
    problems: tuple[str, ...]
    root: bytes = b""
    about: str = ""

    @property
    def passed(self) -> bool:
        """Whether the evidence is proven: no problem, and the root is the expected one."""
        return not self.problems and self.trusted_root


@dataclass(frozen=True, slots=True)
class _Header:
    root: bytes
    head: SignedHead
    selection: Selection


def verify(path: Path, root_public: bytes | None, *, revocations: bytes = b"") -> Verification:
    """Return what the bundle at `path` proves; a bad bundle is a result, not an error.

    `root_public` is the root to believe (32 bytes) or None; `revocations` is that root's signed
    list of revoked keys, if it is at hand. Memory is bounded by the size of one line.

    Raises:
        ConfigError: the file cannot be read, or `root_public` is no key.
    """
    try:
        with path.open("rb") as file:
            return _verify(file, root_public, revocations)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def claimed_root(path: Path) -> bytes:
    """Return the root key that the bundle at `path` names, which proves nothing; empty if none.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            found = canonical.decode(_line(file, MAX_HEADER_LINE) or b"")
        return canonical.unhex(found["root"], KEY_BYTES) if isinstance(found, dict) else b""
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error
    except (FormatError, KeyError):
        return b""


def _verify(file: BinaryIO, root_public: bytes | None, revocations: bytes) -> Verification:
    try:
        header = _header(_line(file, MAX_HEADER_LINE) or b"", root_public, revocations)
    except (FormatError, IntegrityError) as error:
        return Verification(0, None, trusted_root=False, problems=(f"header: {error.message}",))
    problems: list[str] = []
    records = 0
    for problem in _records(file, header):
        if problem:
            problems.append(problem)
        else:
            records += 1
        if len(problems) == MAX_PROBLEMS:
            problems.append("further problems are not listed: the rest of the file was not read")
            break
    return Verification(
        records=records,
        head=header.head,
        trusted_root=root_public is not None,
        problems=tuple(problems),
        root=header.root,
        about=header.selection.about,
    )


def _line(file: BinaryIO, limit: int) -> bytes | None:
    """Return the next line without its line feed, or None at the end of the file."""
    line = file.readline(limit + 1)
    if len(line) > limit:
        while line and not line.endswith(b"\n"):
            line = file.readline(limit)
        raise FormatError(f"a line of over {limit} bytes")
    if line and not line.endswith(b"\n"):
        raise FormatError("the file ends inside a line")
    return line.removesuffix(b"\n") if line else None


def _header(line: bytes, root_public: bytes | None, revocations: bytes) -> _Header:
    found = canonical.decode_object(line, "format", "head", "root", "selection")
    if found["format"] != FORMAT:
        raise FormatError(f"not a bundle of the format {FORMAT}")
    root = canonical.unhex(found["root"], KEY_BYTES)
    if root_public is not None and root != root_public:
        raise IntegrityError(f"signed under the root {root.hex()}, not under the expected one")
    verifier = Verifier(root, revocations=revocations if root_public is not None else b"")
    envelope = canonical.encode(found["head"])
    head = SignedHead.verified(envelope, verifier)
    selection = Selection.decode(
        verifier.verify(
            canonical.encode(found["selection"]),
            payload_type=SELECTION_TYPE,
            role=LEDGER_ROLE,
            at=head.at,
        )
    )
    if selection.head != hashlib.sha256(envelope).hexdigest():
        raise IntegrityError("the selection was signed for another head")
    if not selection.about and selection.ranges != ((0, head.size - 1),):
        raise IntegrityError("a bundle of the whole log that leaves records out")
    return _Header(root, head, selection)


def _records(file: BinaryIO, header: _Header) -> Iterator[str]:
    """Yield a problem, or nothing for a record that holds, line by line."""
    expected = header.selection.indexes
    number = 1
    for index in expected:
        number += 1
        try:
            line = _line(file, MAX_RECORD_LINE)
            if line is None:
                yield f"record {index} and all after it are missing"
                return
            _check(line, index, header)
        except KeepwallError as error:
            yield f"record {index} (line {number}): {error.message}"
        else:
            yield ""
    if file.read(1):
        yield f"something stands behind the last record, from line {number + 1} on"


def _check(line: bytes, index: int, header: _Header) -> None:
    """Raise what is wrong with the line of record `index`."""
    found = canonical.decode_object(line, "index", "proof", "record")
    if type(found["index"]) is not int or found["index"] != index:
        raise IntegrityError("another record stands in its place")
    record = canonical.encode(found["record"])
    head = header.head
    if not verify_inclusion(leaf_hash(record), index, head.size, _proof(found["proof"]), head.root):
        raise IntegrityError("its proof does not lead to the signed head: it was changed")
    if not concerns(Recorded.decode(record), header.selection.about):
        raise IntegrityError(f"it is not about {header.selection.about!r}")


def _proof(value: Any) -> list[bytes]:
    if not isinstance(value, list) or len(value) > MAX_PROOF:
        raise FormatError("not an inclusion proof")
    return [canonical.unhex(each, HASH_BYTES) for each in value]
