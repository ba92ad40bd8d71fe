"""The log on disk: growth, reopening, damage of every byte, rollback, locks and a full disk."""

from __future__ import annotations

import asyncio
import logging
import resource
import subprocess
import sys
import threading
from datetime import UTC, datetime
from itertools import chain

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keepwall.foundation.ledger import frames, merkle
from keepwall.foundation.ledger.group import GroupCommit
from keepwall.foundation.ledger.head import SignedHead
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.ledger.log import LedgerLog
from keepwall.foundation.trust.trust import Trust
from keepwall.vocabulary.errors import ConfigError, ConnectError, IntegrityError


class FixedClock:
    def now(self):
        return datetime(2026, 3, 1, 12, tzinfo=UTC)


CLOCK = FixedClock()


@pytest.fixture(scope="module")
def signer(tmp_path_factory):
    return Trust.create(tmp_path_factory.mktemp("trust"), "acme", CLOCK).signer("ledger")


@pytest.fixture
def verifier(signer):
    from keepwall.foundation.trust.verify import Verifier  # noqa: PLC0415 - beside its use

    return Verifier(signer.root_public)


@pytest.fixture
def directory(tmp_path):
    return tmp_path / "control"


def records(count, start=0):
    return [b"record %d" % at for at in range(start, start + count)]


def naive_root(leaves):
    if len(leaves) < 2:
        return merkle.leaf_hash(leaves[0]) if leaves else merkle.EMPTY_ROOT
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return merkle.node_hash(naive_root(leaves[:k]), naive_root(leaves[k:]))


@settings(deadline=None, max_examples=40)
@given(st.lists(st.integers(0, 23), max_size=8), st.integers(1, 4), st.data())
def test_any_batches_give_the_naive_tree_also_when_reopened(
    tmp_path_factory, signer, batches, bits, data
):
    directory = tmp_path_factory.mktemp("ledger") / "control"
    expected = []
    for batch in batches:
        with Ledger(directory, signer, CLOCK, bits=bits) as ledger:
            new = records(batch, len(expected))
            assert ledger.append(new) == list(range(len(expected), len(expected) + batch))
            expected += new
            assert ledger.root() == naive_root(expected)
    with Ledger(directory, signer, CLOCK, bits=bits) as ledger:
        size = ledger.size
        assert [record for _, record in ledger.records()] == expected
        for old in range(size + 1):
            root = ledger.root(old)
            assert root == naive_root(expected[:old])
            proof = ledger.consistency(old, size)
            assert merkle.verify_consistency(old, size, root, ledger.root(), proof)
        if size:
            at = data.draw(st.integers(1, size))
            index = data.draw(st.integers(0, at - 1))
            leaf, proof = merkle.leaf_hash(expected[index]), ledger.inclusion(index, at)
            assert merkle.verify_inclusion(leaf, index, at, proof, ledger.root(at))


def test_a_reader_sees_what_a_working_writer_wrote(directory, signer, verifier):
    with Ledger(directory, signer, CLOCK, bits=2) as ledger:
        assert LedgerLog(directory, verifier).size == 0
        for size in range(1, 20):
            ledger.append(records(1, size - 1))
            reader = LedgerLog(directory, verifier)
            assert (reader.size, reader.root()) == (size, ledger.root())
        assert reader.check() == 19
        head = ledger.head()
        assert SignedHead.verified(head.envelope, verifier) == head
        assert (head.size, head.root, head.origin) == (19, reader.root(), "control")
        with pytest.raises(ConfigError, match="another process writes"):
            Ledger(directory, signer, CLOCK)
    with pytest.raises(ConnectError, match="closed"):
        ledger.append([b"x"])


def test_questions_without_an_answer(directory, signer, verifier, tmp_path):
    with Ledger(directory, signer, CLOCK) as ledger:
        ledger.append(records(3))
        for ask in (
            lambda: ledger.record(3),
            lambda: ledger.record(-1),
            lambda: ledger.root(4),
            lambda: ledger.inclusion(2, 2),
            lambda: ledger.inclusion(0, 4),
            lambda: ledger.consistency(3, 2),
            lambda: ledger.consistency(-1, 2),
            lambda: ledger.append([b"x" * (frames.MAX_RECORD + 1)]),
        ):
            with pytest.raises(ConfigError):
                ask()
        assert ledger.append([]) == []
        assert ledger.size == 3
    with pytest.raises(ConfigError, match="no ledger"):
        LedgerLog(tmp_path / "nowhere", verifier)


def test_every_changed_byte_is_found_and_named(directory, signer, verifier):
    """Each byte of each file of a log with full segments and one begun, one at a time."""
    with Ledger(directory, signer, CLOCK, bits=1) as ledger:
        ledger.append(records(5))
    sizes = [len(frames.frame(record)) for record in records(5)]
    for path in sorted(directory.iterdir()):
        original = path.read_bytes()
        for at in range(len(original)):
            bad = bytearray(original)
            bad[at] ^= 1 << at % 8
            path.write_bytes(bad)
            try:
                LedgerLog(directory, verifier).check()
            except IntegrityError as error:
                message = error.message
            else:
                pytest.fail(f"byte {at} of {path.name} changed, and nobody saw it")
            inside = at - frames.FILE_HEADER_BYTES
            if path.suffix == ".segment" and inside >= 0:
                first = int(path.stem)
                index = first if inside < sizes[first] else first + 1
                assert f"record {index}" in message
        path.write_bytes(original)


@pytest.mark.parametrize("cut", range(1, len(frames.frame(b"record 2"))))
def test_a_torn_tail_is_cut_and_named(directory, signer, verifier, caplog, cut):
    """A head was signed over two records; the third was being written when the process died."""
    with Ledger(directory, signer, CLOCK) as ledger:
        ledger.append(records(2))
        segment = next(directory.glob("*.segment"))
    with segment.open("ab") as file:
        file.write(frames.frame(b"record 2")[:-cut])
    assert LedgerLog(directory, verifier).size == 2  # a reader leaves it to the writer
    with caplog.at_level(logging.WARNING), Ledger(directory, signer, CLOCK) as ledger:
        assert ledger.append([b"new"]) == [2]
        assert [record for _, record in ledger.records()] == [*records(2), b"new"]
    assert f"cut {len(frames.frame(b'record 2')) - cut} bytes" in caplog.text
    assert "behind record 1 of the ledger control" in caplog.text


def test_blocks_of_zeros_are_a_torn_tail_and_other_bytes_are_not(directory, signer):
    with Ledger(directory, signer, CLOCK) as ledger:
        ledger.append(records(2))
    segment = next(directory.glob("*.segment"))
    whole = segment.read_bytes()
    segment.write_bytes(whole + bytes(70_000))
    with Ledger(directory, signer, CLOCK) as ledger:
        assert ledger.size == 2
    assert segment.read_bytes() == whole
    for garbage in (bytes(100) + b"x", b"x" * 100, frames.frame(b"r")[:-1] + b"x"):
        segment.write_bytes(whole + garbage)
        with pytest.raises(IntegrityError, match="record 2 is damaged"):
            Ledger(directory, signer, CLOCK)


def test_what_a_head_signed_cannot_be_cut_or_rewritten(directory, signer):
    with Ledger(directory, signer, CLOCK) as ledger:
        ledger.append(records(3))
    segment = next(directory.glob("*.segment"))
    whole = segment.read_bytes()
    segment.write_bytes(whole[: -len(frames.frame(b"record 2"))])
    with pytest.raises(IntegrityError, match="record 2 is missing: the signed head counts 3"):
        Ledger(directory, signer, CLOCK)
    segment.write_bytes(whole.replace(frames.frame(b"record 1"), frames.frame(b"Record 1")))
    with pytest.raises(IntegrityError, match="records 0 to 2 are not the ones"):
        Ledger(directory, signer, CLOCK)
    segment.write_bytes(whole)
    (directory / "head.json").unlink()
    with pytest.raises(IntegrityError, match="signed head of the ledger is missing"):
        Ledger(directory, signer, CLOCK)


def test_a_head_of_another_installation_or_log_is_refused(directory, signer, tmp_path):
    with Ledger(directory, signer, CLOCK) as ledger:
        ledger.append(records(3))
        forged = SignedHead.sign(signer, "other", 3, ledger.root(), CLOCK.now())
    (directory / "head.json").write_bytes(forged.envelope)
    with pytest.raises(IntegrityError, match="ledger 'other'"):
        Ledger(directory, signer, CLOCK)
    stranger = Trust.create(tmp_path / "t", "x", CLOCK).signer("ledger")
    forged = SignedHead.sign(stranger, "control", 3, ledger.root(), CLOCK.now())
    (directory / "head.json").write_bytes(forged.envelope)
    with pytest.raises(IntegrityError, match="not believed"):
        Ledger(directory, signer, CLOCK)


def test_a_missing_segment_and_a_missing_index(directory, signer, verifier):
    with Ledger(directory, signer, CLOCK, bits=1) as ledger:
        ledger.append(records(7))
        root = ledger.root()
    for index in directory.glob("*.index"):
        index.unlink()
    assert LedgerLog(directory, verifier).root() == root
    assert LedgerLog(directory, verifier).check() == 7
    (directory / f"{2:020d}.segment").unlink()
    with pytest.raises(IntegrityError, match=r"2\.segment is missing"):
        LedgerLog(directory, verifier)


def test_an_interrupted_creation_is_finished(directory, signer, verifier):
    directory.mkdir()
    (directory / f"{0:020d}.segment").touch()
    with pytest.raises(ConfigError, match="no ledger"):
        LedgerLog(directory, verifier)
    with Ledger(directory, signer, CLOCK) as ledger:
        assert ledger.append([b"x"]) == [0]


FULL = """
import resource, sys, signal
from pathlib import Path
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.trust.trust import Trust
from keepwall.vocabulary.errors import ConnectError
root = Path(sys.argv[1])
trust = Trust.open_or_create(root / "trust", "acme", SystemClock())
with Ledger(root / "control", trust.signer("ledger"), SystemClock(), bits=10) as ledger:
    ledger.append([b"x" * 100] * 500)
    size, tree = ledger.size, ledger.root()
    resource.setrlimit(resource.RLIMIT_FSIZE, (80_000, resource.RLIM_INFINITY))
    for _ in range(3):
        try:
            ledger.append([b"y" * 100] * 1000)
        except ConnectError as error:
            print(error.message)
        assert (ledger.size, ledger.root()) == (size, tree)
    print(ledger.append([b"fits"]))
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    print(len(ledger.append([b"z" * 100] * 1000)), ledger.check())
"""


def test_a_full_disk_is_an_error_and_the_log_goes_on(tmp_path):
    """The limit lies inside the newest segment, then also inside the one that follows it."""
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:3] == ["the ledger control cannot be written: File too large"] * 3
    assert lines[3:] == ["[500]", "1000 1501"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY


def test_a_batch_that_fails_in_a_later_segment_leaves_nothing(directory, signer):
    with Ledger(directory, signer, CLOCK, bits=2) as ledger:
        ledger.append(records(3))
        before = ledger.root()
        blocker = directory / f"{8:020d}.segment"
        blocker.mkdir()  # the third file of the batch cannot be made
        with pytest.raises(ConnectError, match="cannot be written"):
            ledger.append(records(9, 3))
        blocker.rmdir()
        assert (ledger.size, ledger.root()) == (3, before)
        assert len(list(directory.glob("*.segment"))) == 1
        with pytest.raises(ConnectError, match="stopped: a write failed"):
            ledger.append([b"x"])
    with Ledger(directory, signer, CLOCK) as ledger:
        assert ledger.append(records(9, 3)) == list(range(3, 12))
        assert ledger.check() == 12


KILLED = """
import sys
from pathlib import Path
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.trust.trust import Trust
root = Path(sys.argv[1])
trust = Trust.open_or_create(root / "trust", "acme", SystemClock())
ledger = Ledger(root / "control", trust.signer("ledger"), SystemClock(), bits=6)
print("ready", ledger.size, flush=True)
while True:
    start = ledger.size
    last = ledger.append([b"%d " % at + b"x" * 3000 for at in range(start, start + 30)])[-1]
    if start % 4 == 0:
        ledger.head()
    print(last, flush=True)
"""


def test_after_kill_nothing_acknowledged_is_lost(tmp_path):
    """Killed eight times at work; each acknowledged record is there, in order, and it goes on."""
    acknowledged = -1
    for turn in range(8):
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE, text=True
        ) as process:
            ready = process.stdout.readline().split()
            assert ready[0] == "ready"
            assert int(ready[1]) > acknowledged
            for _ in range(3 + turn):
                acknowledged = int(process.stdout.readline())
            process.kill()
            for line in process.stdout:
                acknowledged = int(line) if line.endswith("\n") else acknowledged
    trust = Trust.open(tmp_path / "trust", CLOCK)
    with Ledger(tmp_path / "control", trust.signer("ledger"), CLOCK) as ledger:
        assert ledger.size > acknowledged > 500
        for index, record in ledger.records():
            assert record == b"%d " % index + b"x" * 3000


async def test_threads_and_coroutines_share_one_flush(directory, signer):
    with Ledger(directory, signer, CLOCK) as ledger, GroupCommit(ledger) as group:
        found = {}

        def write(name):
            futures = [group.submit(b"%d/%d" % (name, at)) for at in range(200)]
            found[name] = [future.result() for future in futures]

        threads = [threading.Thread(target=write, args=(name,)) for name in range(6)]
        for thread in threads:
            thread.start()
        index = await asyncio.wrap_future(group.submit(b"from a coroutine"))
        for thread in threads:
            thread.join()
        assert ledger.record(index) == b"from a coroutine"
        assert sorted([index, *chain.from_iterable(found.values())]) == list(range(1201))
        for name, indexes in found.items():
            assert indexes == sorted(indexes)
            assert ledger.record(indexes[7]) == b"%d/7" % name
        with pytest.raises(ConfigError, match="over the limit"):
            group.submit(b"x" * (frames.MAX_RECORD + 1))
        ledger.close()
        with pytest.raises(ConnectError, match="closed"):
            group.submit(b"late").result()
    with pytest.raises(ConnectError, match="closing"):
        group.submit(b"later")
