"""Signed documents: what is believed from the bus and from the disk."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from keepwall.foundation.bus.contract import MAX_VALUE
from keepwall.foundation.bus.memory import MemoryBus
from keepwall.foundation.bus.signed import (
    Document,
    Refusal,
    SignedDocuments,
    document_name,
    payload_type,
    seal,
    unseal,
)
from keepwall.foundation.bus.snapshot import SUFFIX, SnapshotDirectory
from keepwall.foundation.trust.trust import Trust
from keepwall.vocabulary.errors import ConfigError, FormatError, IntegrityError
from keepwall.vocabulary.subjects import kv_key

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class StoppedClock:
    def now(self) -> datetime:
        return NOW


@pytest.fixture
def trust(tmp_path: Path) -> Trust:
    return Trust.create(tmp_path / "trust", "acme.example", StoppedClock())


@pytest.fixture
def bus() -> MemoryBus:
    return MemoryBus()


@pytest.fixture
def documents(bus: MemoryBus) -> SignedDocuments:
    return SignedDocuments(bus, StoppedClock())


@pytest.fixture
def snapshots(tmp_path: Path) -> SnapshotDirectory:
    return SnapshotDirectory(tmp_path / "snapshots")


def sealed(trust: Trust, key: str = "claims", generation: int = 1, **body: str) -> Document:
    envelope = seal(trust.signer("control"), "envelopes", key, generation, body)
    return Document("envelopes", key, generation, body, envelope)


async def watched(
    documents: SignedDocuments, trust: Trust, bucket: str, count: int
) -> list[Document | Refusal | None]:
    seen: list[Document | Refusal | None] = []
    async with asyncio.timeout(5), aclosing(documents.watch(trust.verifier(), bucket)) as found:
        async for item in found:
            seen.append(item)
            if len(seen) == count:
                break
    return seen


async def test_a_document_comes_back_as_it_was_put(documents: SignedDocuments, trust: Trust):
    key = "spiffe://acme.example/agent/claims"
    put = await documents.put(
        trust.signer("control"), "envelopes", key, generation=3, body={"spec": "x", "n": [1, None]}
    )
    assert await documents.get(trust.verifier(), "envelopes", key) == put
    assert await watched(documents, trust, "envelopes", 2) == [put, None]
    assert await documents.get(trust.verifier(), "envelopes", "other") is None


async def test_a_document_under_another_key_or_bucket_is_refused(
    documents: SignedDocuments, bus: MemoryBus, trust: Trust
):
    good = sealed(trust, "strict")
    await bus.put("envelopes", "loose", good.envelope)
    await bus.put("containments", "strict", good.envelope)
    for bucket in ("envelopes", "containments"):
        assert isinstance((await watched(documents, trust, bucket, 1))[0], Refusal)
    with pytest.raises(IntegrityError, match="holds the document of envelopes/strict"):
        await documents.get(trust.verifier(), "envelopes", "loose")


async def test_an_older_generation_and_a_second_content_are_refused(
    documents: SignedDocuments, bus: MemoryBus, trust: Trust
):
    one, two = sealed(trust, generation=1, spec="old"), sealed(trust, generation=2, spec="new")
    twin = sealed(trust, generation=2, spec="twin")
    seen: list[object] = []
    async with (
        asyncio.timeout(5),
        aclosing(documents.watch(trust.verifier(), "envelopes")) as found,
    ):
        assert await anext(found) is None
        for document in (one, two, one, twin, two):
            await bus.put("envelopes", "claims", document.envelope)
            if document is not two or two not in seen:
                seen.append(await anext(found))
    assert seen[:2] == [one, two]
    assert [item.reason for item in seen[2:] if isinstance(item, Refusal)] == [
        "envelopes/claims is generation 1, but 2 was seen: rolled back",
        "envelopes/claims has two contents of generation 2",
    ]


async def test_a_watch_knows_what_the_snapshot_saw(
    documents: SignedDocuments, bus: MemoryBus, trust: Trust
):
    await bus.put("envelopes", "claims", sealed(trust, generation=4).envelope)
    found = documents.watch(trust.verifier(), "envelopes", seen={"claims": 5})
    async with aclosing(found):
        assert isinstance(await anext(found), Refusal)


async def test_nobody_signs_in_the_place_of_another(
    documents: SignedDocuments, bus: MemoryBus, trust: Trust
):
    status = {"strength": "prevented"}
    for signer, key in (
        ("node/n1", "n1/runtime"),
        ("node/n2", "n1/network"),
        ("control", "n1/gateway"),
    ):
        envelope = seal(trust.signer(signer), "status", key, 1, status)
        await bus.put("status", kv_key(key), envelope)
    forged = seal(trust.signer("node/n1"), "envelopes", "claims", 9, {})
    await bus.put("envelopes", "claims", forged)
    good, *bad = await watched(documents, trust, "status", 3)
    assert isinstance(good, Document)
    assert good.key == "n1/runtime"
    assert all(isinstance(item, Refusal) for item in bad)
    assert isinstance((await watched(documents, trust, "envelopes", 1))[0], Refusal)


@pytest.mark.parametrize(
    "payload",
    [
        b"nonsense",
        b"[]",
        b'{"bucket":"envelopes","key":"claims","generation":0,"body":{}}',
        b'{"bucket":"envelopes","key":"claims","generation":true,"body":{}}',
        b'{"bucket":"envelopes","key":"claims","body":{}}',
        b'{"bucket":"envelopes","key":"claims","generation":1,"body":' + b"[" * 50_000,
    ],
)
def test_a_signature_over_something_else_is_not_a_document(trust: Trust, payload: bytes):
    envelope = trust.signer("control").sign(payload_type("envelopes"), payload)
    with pytest.raises(IntegrityError, match="not a document"):
        unseal(trust.verifier(), "envelopes", "claims", envelope, NOW)


def test_a_document_that_does_not_fit_is_refused_before_it_is_stored(trust: Trust):
    with pytest.raises(FormatError, match="over"):
        sealed(trust, spec="x" * MAX_VALUE)
    with pytest.raises(FormatError, match="generation"):
        sealed(trust, generation=0)


def test_names_are_bounded_and_differ():
    long = "spiffe://acme.example/" + "a" * 900
    assert len(document_name(long)) <= 200
    assert document_name(long) != document_name(long + "b")
    assert document_name("n1/runtime") == kv_key("n1/runtime")


def test_a_snapshot_comes_back(snapshots: SnapshotDirectory, trust: Trust):
    assert not snapshots.has("envelopes")
    assert snapshots.load("envelopes", trust.verifier(), NOW).documents == []
    kept = [sealed(trust, "a", 2, spec="x"), sealed(trust, "long/" + "b" * 900)]
    for document in kept:
        snapshots.write(document)
    assert snapshots.has("envelopes")
    assert not snapshots.has("status")
    loaded = snapshots.load("envelopes", trust.verifier(), NOW)
    assert loaded.documents == kept
    assert loaded.refused == []
    assert snapshots.generations("envelopes") == {"a": 2, kept[1].key: 1}


def test_a_snapshot_is_private_and_leaves_nothing_half_written(
    snapshots: SnapshotDirectory, trust: Trust, tmp_path: Path
):
    snapshots.write(sealed(trust))
    folder = tmp_path / "snapshots" / "envelopes"
    assert sorted(path.name for path in folder.iterdir()) == ["claims" + SUFFIX, "generations.json"]
    assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.iterdir()))


def test_an_older_snapshot_is_a_rollback(
    snapshots: SnapshotDirectory, trust: Trust, tmp_path: Path
):
    file = tmp_path / "snapshots" / "envelopes" / ("claims" + SUFFIX)
    snapshots.write(sealed(trust, generation=1, spec="loose"))
    old = file.read_bytes()
    snapshots.write(sealed(trust, generation=2, spec="strict"))
    file.write_bytes(old)
    loaded = snapshots.load("envelopes", trust.verifier(), NOW)
    assert loaded.documents == []
    assert len(loaded.refused) == 1
    assert "rolled back" in loaded.refused[0]
    with pytest.raises(IntegrityError, match="but 2 was seen"):
        snapshots.write(sealed(trust, generation=1, spec="loose"))


def test_a_removed_document_is_missed(snapshots: SnapshotDirectory, trust: Trust, tmp_path: Path):
    snapshots.write(sealed(trust, "a"))
    snapshots.write(sealed(trust, "ba"))
    (tmp_path / "snapshots" / "envelopes" / ("a" + SUFFIX)).unlink()
    loaded = snapshots.load("envelopes", trust.verifier(), NOW)
    assert [document.key for document in loaded.documents] == ["ba"]
    assert loaded.refused == ["envelopes/a.dsse.json is missing, generation 1 was seen"]


def _garbage(path: Path) -> None:
    path.write_bytes(os.urandom(4_096))


def _unsigned(path: Path) -> None:
    path.write_text('{"bucket":"envelopes","key":"bad","generation":1,"body":{}}')


def _huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 40)


def _deep(path: Path) -> None:
    path.write_bytes(b"[" * 200_000)


def _empty(path: Path) -> None:
    path.touch()


def _link(path: Path) -> None:
    path.symlink_to("claims" + SUFFIX)


def _dangling(path: Path) -> None:
    path.symlink_to("/nowhere")


def _folder(path: Path) -> None:
    path.mkdir()


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize(
    "make",
    [_garbage, _unsigned, _huge, _deep, _empty, _link, _dangling, _folder, _device, os.mkfifo],
)
def test_a_hostile_file_is_named_and_harms_nothing(
    make: Callable[[Path], None], snapshots: SnapshotDirectory, trust: Trust, tmp_path: Path
):
    good = sealed(trust)
    snapshots.write(good)
    make(tmp_path / "snapshots" / "envelopes" / ("bad" + SUFFIX))
    before = time.monotonic()
    loaded = snapshots.load("envelopes", trust.verifier(), NOW)
    assert time.monotonic() - before < 2
    assert loaded.documents == [good]
    assert len(loaded.refused) == 1
    assert "bad" + SUFFIX in loaded.refused[0]


def test_a_copy_under_another_name_is_refused(
    snapshots: SnapshotDirectory, trust: Trust, tmp_path: Path
):
    snapshots.write(sealed(trust, "loose"))
    folder = tmp_path / "snapshots" / "envelopes"
    (folder / ("strict" + SUFFIX)).write_bytes((folder / ("loose" + SUFFIX)).read_bytes())
    loaded = snapshots.load("envelopes", trust.verifier(), NOW)
    assert [document.key for document in loaded.documents] == ["loose"]
    assert "holds the document of envelopes/loose" in loaded.refused[0]


@pytest.mark.parametrize("content", [b"nonsense", b'{"claims": -1}', b'{"claims": "x"}'])
def test_damaged_generations_are_named_and_do_not_stop_the_next_write(
    content: bytes, snapshots: SnapshotDirectory, trust: Trust, tmp_path: Path
):
    good = sealed(trust)
    snapshots.write(good)
    (tmp_path / "snapshots" / "envelopes" / "generations.json").write_bytes(content)
    loaded = snapshots.load("envelopes", trust.verifier(), NOW)
    assert loaded.documents == [good]
    assert loaded.refused == ["envelopes: generations.json is damaged"]
    assert snapshots.generations("envelopes") == {}
    snapshots.write(good)
    assert snapshots.load("envelopes", trust.verifier(), NOW).refused == []


def test_a_folder_that_is_a_link_is_not_followed(
    snapshots: SnapshotDirectory, trust: Trust, tmp_path: Path
):
    snapshots.write(sealed(trust))
    real = tmp_path / "snapshots" / "envelopes"
    real.rename(tmp_path / "elsewhere")
    real.symlink_to(tmp_path / "elsewhere")
    loaded = snapshots.load("envelopes", trust.verifier(), NOW)
    assert loaded.documents == []
    assert len(loaded.refused) == 1
    with pytest.raises(ConfigError, match="cannot be written"):
        snapshots.write(sealed(trust, generation=2))


def test_the_reader_of_snapshots_loads_no_client_and_no_cryptography():
    program = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC;"
        "from keepwall.foundation.bus.snapshot import SnapshotDirectory;"
        "found = SnapshotDirectory(Path('nowhere')).load('envelopes', None, datetime.now(UTC));"
        "assert found.documents == [];"
        "print(sorted({name.split('.')[0] for name in sys.modules}))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = answer.stdout.decode()
    assert "'keepwall'" in loaded
    for heavy in ("nats", "cryptography", "asyncio", "ssl"):
        assert f"'{heavy}'" not in loaded


def test_the_payload_says_where_it_belongs(trust: Trust):
    document = sealed(trust, spec="x")
    payload = trust.verifier().verify(
        document.envelope,
        payload_type="application/vnd.keepwall.envelopes+json",
        role="control",
        at=NOW,
    )
    assert msgspec.json.decode(payload) == {
        "bucket": "envelopes",
        "key": "claims",
        "generation": 1,
        "body": {"spec": "x"},
    }
