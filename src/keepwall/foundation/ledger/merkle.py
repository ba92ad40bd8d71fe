"""Merkle trees as RFC 9162 section 2.1 defines them (the hashing is RFC 6962's)."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Protocol

HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256().digest()
"""The root of a tree without leaves."""


class Nodes(Protocol):
    """Where the hashes of complete subtrees are found."""

    def perfect(self, level: int, index: int) -> bytes:
        """Return the hash over the leaves ``index * 2**level`` up to the next multiple."""
        ...


def leaf_hash(record: bytes) -> bytes:
    """Return the hash of a leaf: SHA-256 over a zero byte and the record."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node: SHA-256 over a one byte and its two children."""
    return hashlib.sha256(b"\x01" + left + right).digest()


class Levels:
    """The complete subtrees of a growing tree, by level; appending costs O(log n) at most."""

    def __init__(self) -> None:
        self._levels: list[list[bytes]] = [[]]

    @property
    def size(self) -> int:
        """How many leaves there are."""
        return len(self._levels[0])

    @property
    def leaves(self) -> Sequence[bytes]:
        """The leaf hashes in order."""
        return self._levels[0]

    def append(self, leaf: bytes) -> None:
        """Add the hash of a leaf and of every subtree that it completes."""
        node, level = leaf, 0
        while True:
            row = self._levels[level]
            row.append(node)
            if len(row) & 1:
                return
            node = node_hash(row[-2], row[-1])
            level += 1
            if level == len(self._levels):
                self._levels.append([])

    def perfect(self, level: int, index: int) -> bytes:
        """Return the hash of a complete subtree."""
        return self._levels[level][index]


def _split(size: int) -> int:
    """Return the largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_hash(nodes: Nodes, low: int, high: int) -> bytes:
    """Return the hash over the leaves from `low` to `high`, as trees of RFC 9162 divide them."""
    size = high - low
    if size & (size - 1) == 0:
        level = size.bit_length() - 1
        return nodes.perfect(level, low >> level)
    middle = low + _split(size)
    return node_hash(_range_hash(nodes, low, middle), _range_hash(nodes, middle, high))


def root(nodes: Nodes, size: int) -> bytes:
    """Return the root over the first `size` leaves."""
    return _range_hash(nodes, 0, size) if size else EMPTY_ROOT


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Return the proof that leaf `index` is in the tree of `size` leaves (section 2.1.3.1)."""
    low, high, path = 0, size, []
    while high - low > 1:
        middle = low + _split(high - low)
        if index < middle:
            path.append(_range_hash(nodes, middle, high))
            high = middle
        else:
            path.append(_range_hash(nodes, low, middle))
            low = middle
    return path[::-1]


def consistency(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """Return the proof that the tree of `old` leaves begins the tree of `new` (section 2.1.4.1).

    It is empty for an empty old tree, where there is nothing to prove.
    """
    if not old:
        return []
    low, high, path = 0, new, []
    while high != old:
        middle = low + _split(high - low)
        if old <= middle:
            path.append(_range_hash(nodes, middle, high))
            high = middle
        else:
            path.append(_range_hash(nodes, low, middle))
            low = middle
    if low:
        path.append(_range_hash(nodes, low, high))
    return path[::-1]


def verify_inclusion(
    leaf: bytes, index: int, size: int, proof: Sequence[bytes], expected_root: bytes
) -> bool:
    """Say whether `proof` shows that `leaf` is at `index` below the root (section 2.1.3.2)."""
    if not 0 <= index < size:
        return False
    first, last, found = index, size - 1, leaf
    for each in proof:
        if not last:
            return False
        if first & 1 or first == last:
            found = node_hash(each, found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = node_hash(found, each)
        first, last = first >> 1, last >> 1
    return not last and found == expected_root


def verify_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """Say whether `proof` shows that the old tree begins the new one (section 2.1.4.2)."""
    if not 0 <= old <= new:
        return False
    if old in (0, new):
        return not proof and old_root == (new_root if old == new else EMPTY_ROOT)
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    first, last = old - 1, new - 1
    while first & 1:
        first, last = first >> 1, last >> 1
    old_found = new_found = path[0]
    for each in path[1:]:
        if not last:
            return False
        if first & 1 or first == last:
            old_found, new_found = node_hash(each, old_found), node_hash(each, new_found)
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            new_found = node_hash(new_found, each)
        first, last = first >> 1, last >> 1
    return not last and old_found == old_root and new_found == new_root
