"""Git objects and packs: what git writes is read, and what is damaged says so."""

from __future__ import annotations

import struct
import zlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.formats.git_objects import (
    GitObject,
    apply_delta,
    delta_sizes,
    inflate,
    read_commit,
    read_loose,
    tree_entries,
)
from keepwall.formats.git_pack import entry_head, read_index
from keepwall.vocabulary.errors import FormatError

LIMIT = 1 << 20


def loose(kind: str, data: bytes) -> bytes:
    return zlib.compress(f"{kind} {len(data)}".encode() + b"\0" + data)


@given(st.sampled_from(["commit", "tree", "blob", "tag"]), st.binary(max_size=4_000))
def test_a_loose_object_is_read_back(kind: str, data: bytes):
    assert read_loose(loose(kind, data), LIMIT) == GitObject(kind, data)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not zlib",
        loose("blob", b"x" * 100)[:-8],
        loose("blob", b"x" * 100)[:-1],
        zlib.compress(b"blob 5\0four"),
        zlib.compress(b"blob 3\0four"),
        zlib.compress(b"blub 4\0four"),
        zlib.compress(b"blob 99999999999999999999\0four"),
    ],
)
def test_a_damaged_loose_object_is_named(data: bytes):
    with pytest.raises(FormatError, match="damaged"):
        read_loose(data, LIMIT)


def test_a_bomb_is_not_inflated():
    with pytest.raises(FormatError, match="more than the 1048576 that are read"):
        read_loose(loose("blob", bytes(LIMIT * 4)), LIMIT)
    with pytest.raises(FormatError, match="not the 10 bytes"):
        inflate(zlib.compress(bytes(LIMIT * 64)), 10)


def copy(offset: int, length: int) -> bytes:
    return b"\x97" + offset.to_bytes(4, "little")[:3] + length.to_bytes(1, "little")


def test_a_delta_copies_and_inserts():
    base = bytes(range(200))
    delta = bytes([200, 1, 9]) + copy(3, 4) + b"\x05hello"
    assert delta_sizes(delta)[:2] == (200, 9)
    assert apply_delta(base, delta, LIMIT) == bytes([3, 4, 5, 6]) + b"hello"


def test_a_copy_without_a_length_is_of_64_kib():
    base = bytes(0x10000) + b"tail"
    delta = b"\x84\x80\x04" + b"\x80\x80\x04" + b"\x80"
    assert apply_delta(base, delta, LIMIT) == bytes(0x10000)


@pytest.mark.parametrize(
    "delta",
    [b"", b"\x80", b"\xff" * 12, b"\x03\x05", b"\x04\x05\x05hel", b"\x04\x09\x05hello",
     b"\x04\x04\x91", b"\x04\x04\x00", b"\x04\x04" + b"\x91\xff\x04"],
)  # fmt: skip
def test_a_damaged_delta_is_named(delta: bytes):
    with pytest.raises(FormatError, match="damaged"):
        apply_delta(b"base", delta, LIMIT)


def test_a_delta_that_multiplies_is_stopped():
    size = 1 << 40
    head = b"\x04" + bytes([size >> 7 * each & 0x7F | 0x80 for each in range(5)]) + b"\x20"
    with pytest.raises(FormatError, match="more than the 1048576 that are read"):
        apply_delta(b"base", head + b"\x90\x04" * 1000, LIMIT)
    with pytest.raises(FormatError, match="damaged"):
        apply_delta(b"base", b"\x04\x05" + b"\x90\x04" * 1000, LIMIT)


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_are_a_delta_or_are_named(base: bytes, delta: bytes):
    with suppress(FormatError):
        assert len(apply_delta(base, delta, LIMIT)) == delta_sizes(delta)[1]


def test_the_entries_of_a_tree():
    one, two = bytes(range(20)), bytes(range(20, 40))
    entries = list(tree_entries(b"100644 a.py\0" + one + b"40000 lib\0" + two))
    assert [(each.name, each.id, each.is_file, each.is_tree) for each in entries] == [
        (b"a.py", one, True, False),
        (b"lib", two, False, True),
    ]
    (link,) = tree_entries(b"120000 link\0" + one)
    assert not link.is_file
    (wide,) = tree_entries(b"100755 a\0" + bytes(32), 32)
    assert wide.is_file


@given(st.binary(max_size=300))
def test_any_bytes_are_a_tree_or_are_named(data: bytes):
    with suppress(FormatError):
        assert all(len(each.id) == 20 for each in tree_entries(data))


def test_a_commit():
    text = f"tree {'ab' * 20}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1700000000 +0200\n\nx"
    assert read_commit(text.encode()).tree == bytes.fromhex("ab" * 20)
    assert read_commit(text.encode()).time == 1_700_000_000
    assert read_commit(text[:46].encode()).time == 0
    with pytest.raises(FormatError):
        read_commit(b"tree none\n")


def index(ids: list[bytes], offsets: list[int], *, version: int = 2) -> bytes:
    fanout = b"".join(
        struct.pack(">I", sum(each[0] <= byte for each in ids)) for byte in range(256)
    )
    if version == 1:
        body = b"".join(struct.pack(">I", at) + each for each, at in zip(ids, offsets, strict=True))
        return fanout + body + bytes(40)
    large = [at for at in offsets if at >= 1 << 31]
    small = [struct.pack(">I", at if at < 1 << 31 else 1 << 31 | large.index(at)) for at in offsets]
    tail = b"".join(struct.pack(">Q", at) for at in large)
    head = b"\xfftOc\0\0\0\2" + fanout + b"".join(ids) + bytes(4 * len(ids))
    return head + b"".join(small) + tail + bytes(2 * len(ids[0]))


IDS = [bytes([each]) + bytes([7]) * 19 for each in (1, 2, 200)]


@pytest.mark.parametrize("version", [1, 2])
def test_an_index_gives_the_offset_of_each_object(version: int):
    entries, count = read_index(index(IDS, [12, 99, 500], version=version), 10)
    assert entries == list(zip(IDS, [12, 99, 500], strict=True))
    assert count == 3
    assert read_index(index(IDS, [12, 99, 500], version=version), 2) == (entries[:2], 3)


def test_an_index_of_wide_ids_and_of_large_offsets():
    wide = [each + bytes(12) for each in IDS]
    assert read_index(index(wide, [12, 99, 500]), 10)[0][0] == (wide[0], 12)
    assert read_index(index(IDS, [12, 99, 1 << 33]), 10)[0][2] == (IDS[2], 1 << 33)


@pytest.mark.parametrize("cut", [0, 8, 500, 1040, 1100])
def test_an_index_that_is_cut_is_named(cut: int):
    with pytest.raises(FormatError, match="damaged"):
        read_index(index(IDS, [12, 99, 500])[:cut], 10)


def test_an_index_that_lies_about_its_count_is_named():
    data = bytearray(index(IDS, [12, 99, 500]))
    data[8 + 1020 : 8 + 1024] = b"\xff\xff\xff\xff"
    with pytest.raises(FormatError, match="damaged"):
        read_index(bytes(data), 10)


def test_the_heads_of_entries():
    assert entry_head(b"\xb5\x0a", 12).size == 0xA5
    assert entry_head(b"\xb5\x0a", 12).kind == "blob"
    assert entry_head(b"\x65\x05", 100).base_offset == 95
    assert entry_head(b"\x75" + IDS[0], 100).base_id == IDS[0]


@pytest.mark.parametrize("head", [b"", b"\xff", b"\x05", b"\x55", b"\x75abc", b"\x65\x00",
                                  b"\x65\x7f", b"\x65\xff\xff"])  # fmt: skip
def test_a_damaged_head_is_named(head: bytes):
    with pytest.raises(FormatError, match="damaged"):
        entry_head(head, 12)
