"""Objects of a Git repository: blobs, trees, commits, and deltas between them.

Source: Git, ``Documentation/gitformat-pack.adoc`` and ``gitformat-signature.adoc``; the object
header is ``kind SP size NUL``.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.vocabulary.errors import FormatError

COMMIT, TREE, BLOB, TAG = "commit", "tree", "blob", "tag"
_HEADER = re.compile(rb"(commit|tree|blob|tag) ([0-9]{1,15})\0")
_HEADER_BYTES = 64
_MODE_BYTES = 7
_COMMIT_TREE = re.compile(rb"tree ([0-9a-f]{40}|[0-9a-f]{64})\n")
_COMMIT_TIME = re.compile(rb"^committer [^\n]*> ([0-9]{1,12}) [+-][0-9]{4}$", re.MULTILINE)
_WHOLE_COPY = 0x10000


@dataclass(frozen=True, slots=True)
class GitObject:
    """An object: its kind (commit, tree, blob, tag) and content."""

    kind: str
    data: bytes


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """An entry of a tree; `mode` is octal as written, `id` are raw bytes."""

    mode: bytes
    name: bytes
    id: bytes

    @property
    def is_tree(self) -> bool:
        """Whether it is a directory."""
        return self.mode in (b"40000", b"040000")

    @property
    def is_file(self) -> bool:
        """Whether it is a regular file: no link and no submodule."""
        return self.mode.startswith(b"100")


@dataclass(frozen=True, slots=True)
class Commit:
    """What of a commit is needed to name a place: its tree, and when it was committed (Unix)."""

    tree: bytes
    time: int


def inflate(data: bytes, size: int) -> bytes:
    """Return the `size` bytes that `data` (zlib) holds; never more are produced.

    Raises:
        FormatError: the stream is damaged, or holds more or less.
    """
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(data, size + 1)
    except zlib.error as error:
        raise FormatError(f"damaged: {error}") from error
    if len(plain) != size or not stream.eof:
        raise FormatError(f"damaged: not the {size} bytes that it claims")
    return plain


def read_loose(data: bytes, limit: int) -> GitObject:
    """Return the object of a loose file.

    Raises:
        FormatError: it is damaged, or larger than `limit` bytes.
    """
    try:
        head = zlib.decompressobj().decompress(data, _HEADER_BYTES)
    except zlib.error as error:
        raise FormatError(f"damaged: {error}") from error
    header = _HEADER.match(head)
    if header is None:
        raise FormatError("damaged: no header of an object")
    size = int(header[2])
    if size > limit:
        raise FormatError(f"{size} bytes, more than the {limit} that are read")
    return GitObject(header[1].decode(), inflate(data, header.end() + size)[header.end() :])


def delta_sizes(delta: bytes) -> tuple[int, int, int]:
    """Return the sizes of base and result that a delta states, and where its orders start.

    Raises:
        FormatError: the delta is cut.
    """
    base, at = _varint(delta, 0)
    result, at = _varint(delta, at)
    return base, result, at


def apply_delta(base: bytes, delta: bytes, limit: int) -> bytes:
    """Return what `delta` makes of `base`.

    Raises:
        FormatError: an order points outside, sizes do not hold, or the result is over `limit`.
    """
    base_size, size, at = delta_sizes(delta)
    if size > limit:
        raise FormatError(f"{size} bytes, more than the {limit} that are read")
    if base_size != len(base):
        raise FormatError(f"damaged: a delta of {base_size} bytes to a base of {len(base)}")
    parts: list[bytes] = []
    made, end = 0, len(delta)
    try:
        while at < end and made <= size:
            order = delta[at]
            at += 1
            if order & 0x80:
                offset, at = _sparse(delta, at, order & 0x0F)
                length, at = _sparse(delta, at, order >> 4 & 7)
                part = base[offset : offset + (length or _WHOLE_COPY)]
            else:
                part = delta[at : at + order]
                at += order
            made += len(part)
            parts.append(part)
            if not part:
                break
    except IndexError as error:
        raise FormatError("damaged: a delta that is cut") from error
    if made != size:
        raise FormatError("damaged: a delta whose result has another size")
    return b"".join(parts)


def _sparse(data: bytes, at: int, present: int) -> tuple[int, int]:
    """Return a number of which only the bytes that `present` marks are written, low byte first."""
    value = shift = 0
    while present:
        if present & 1:
            value |= data[at] << shift
            at += 1
        present >>= 1
        shift += 8
    return value, at


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(data) and shift < 64:  # noqa: PLR2004 - bits of the widest number
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if not byte & 0x80:
            return value, at
        shift += 7
    raise FormatError("damaged: a number that does not end")


def tree_entries(data: bytes, id_size: int = 20) -> Iterator[TreeEntry]:
    """Yield the entries of a tree, whose ids have `id_size` bytes.

    Raises:
        FormatError: the tree is damaged.
    """
    at, end = 0, len(data)
    while at < end:
        space = data.find(b" ", at, at + _MODE_BYTES)
        zero = data.find(b"\0", space)
        following = zero + 1 + id_size
        if space < 0 or zero < 0 or following > end:
            raise FormatError("damaged: a tree that is cut")
        yield TreeEntry(data[at:space], data[space + 1 : zero], data[zero + 1 : following])
        at = following


def read_commit(data: bytes) -> Commit:
    """Return a commit.

    Raises:
        FormatError: it names no tree.
    """
    tree = _COMMIT_TREE.match(data)
    if tree is None:
        raise FormatError("damaged: a commit without a tree")
    time = _COMMIT_TIME.search(data)
    return Commit(bytes.fromhex(tree[1].decode()), int(time[1]) if time else 0)
