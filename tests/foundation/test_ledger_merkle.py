"""Proofs against a naive RFC 6962, written from the definitions with whole-tree recursion."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwall.foundation.ledger import merkle


def naive_root(records):
    if not records:
        return hashlib.sha256(b"").digest()
    if len(records) == 1:
        return hashlib.sha256(b"\x00" + records[0]).digest()
    k = naive_split(len(records))
    pair = naive_root(records[:k]) + naive_root(records[k:])
    return hashlib.sha256(b"\x01" + pair).digest()


def naive_split(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


def naive_path(m, records):
    if len(records) == 1:
        return []
    k = naive_split(len(records))
    if m < k:
        return [*naive_path(m, records[:k]), naive_root(records[k:])]
    return [*naive_path(m - k, records[k:]), naive_root(records[:k])]


def naive_subproof(m, records, *, whole):
    if m == len(records):
        return [] if whole else [naive_root(records)]
    k = naive_split(len(records))
    if m <= k:
        return [*naive_subproof(m, records[:k], whole=whole), naive_root(records[k:])]
    return [*naive_subproof(m - k, records[k:], whole=False), naive_root(records[:k])]


def levels_of(records):
    levels = merkle.Levels()
    for record in records:
        levels.append(merkle.leaf_hash(record))
    return levels


# the reference values that Certificate Transparency implementations share
CT_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
CT_ROOT_8 = "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"


def test_the_root_that_certificate_transparency_publishes():
    assert merkle.root(levels_of(CT_LEAVES), 8).hex() == CT_ROOT_8


def test_every_root_and_proof_up_to_40_equals_the_naive_one():
    records = [b"%d" % at for at in range(40)]
    levels = levels_of(records)
    for size in range(41):
        root = merkle.root(levels, size)
        assert root == naive_root(records[:size])
        for index in range(size):
            proof = merkle.inclusion(levels, index, size)
            assert proof == naive_path(index, records[:size])
            leaf = merkle.leaf_hash(records[index])
            assert merkle.verify_inclusion(leaf, index, size, proof, root)
        for old in range(size + 1):
            proof = merkle.consistency(levels, old, size)
            assert proof == (naive_subproof(old, records[:size], whole=True) if old else [])
            old_root = merkle.root(levels, old)
            assert merkle.verify_consistency(old, size, old_root, root, proof)


sizes = st.integers(1, 300)


@settings(deadline=None, max_examples=60)
@given(sizes, st.data())
def test_a_proof_holds_for_nothing_else(size, data):
    records = [b"r%d" % at for at in range(size)]
    levels = levels_of(records)
    root = merkle.root(levels, size)
    index = data.draw(st.integers(0, size - 1))
    proof = merkle.inclusion(levels, index, size)
    leaf = merkle.leaf_hash(records[index])
    other = data.draw(st.integers(-2, size + 2).filter(lambda each: each != index))
    assert not merkle.verify_inclusion(leaf, other, size, proof, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(b"x"), index, size, proof, root)
    assert not merkle.verify_inclusion(leaf, index, size, [*proof, b"\0" * 32], root)
    if proof:
        assert not merkle.verify_inclusion(leaf, index, size, proof[:-1], root)
        at = data.draw(st.integers(0, len(proof) - 1))
        bad = [*proof[:at], bytes(32), *proof[at + 1 :]]
        assert not merkle.verify_inclusion(leaf, index, size, bad, root)


@settings(deadline=None, max_examples=60)
@given(sizes, st.data())
def test_a_rewritten_past_is_not_consistent(size, data):
    old = data.draw(st.integers(1, size))
    changed = data.draw(st.integers(0, old - 1))
    records = [b"r%d" % at for at in range(size)]
    first, second = levels_of(records[:old]), levels_of(records)
    records[changed] = b"forged"
    forged = levels_of(records)
    roots = merkle.root(first, old), merkle.root(forged, size)
    assert not merkle.verify_consistency(old, size, *roots, merkle.consistency(forged, old, size))
    assert not merkle.verify_consistency(old, size, *roots, merkle.consistency(second, old, size))


@pytest.mark.parametrize(("old", "new"), [(3, 2), (-1, 2)])
def test_impossible_sizes_are_no_proof(old, new):
    assert not merkle.verify_consistency(old, new, b"", b"", [])


def test_an_empty_consistency_proof_proves_nothing():
    levels = levels_of([b"a", b"b", b"c"])
    roots = merkle.root(levels, 2), merkle.root(levels, 3)
    assert not merkle.verify_consistency(2, 3, *roots, [])
    three = merkle.root(levels_of([b"a", b"b", b"c", b"d", b"e"]), 5)
    assert not merkle.verify_consistency(3, 5, roots[1], three, [])
    assert merkle.verify_consistency(0, 3, merkle.EMPTY_ROOT, roots[1], [])
    assert not merkle.verify_consistency(0, 3, roots[0], roots[1], [])
