"""What every bus promises, over each bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from bus_setup import Certificates, until

from keepwall.foundation.bus.contract import MAX_PAYLOAD, MAX_VALUE, Bus, Entry, Message, matches
from keepwall.foundation.bus.memory import MemoryBus
from keepwall.foundation.bus.nats import NatsBus
from keepwall.foundation.bus.server import NatsServer
from keepwall.vocabulary.errors import ConfigError, ConnectError, FormatError

SUBJECT = "kw.v1.event.runtime.node-1"


@pytest.fixture(params=["memory", pytest.param("nats", marks=pytest.mark.real)])
async def bus(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Bus]:
    if request.param == "memory":
        yield MemoryBus()
        return
    made = Certificates.make(tmp_path)
    server = await NatsServer.start(
        tmp_path / "bus", certificate=made.certificate, key=made.key, ca=made.ca
    )
    try:
        nats = await NatsBus.connect(server.url, made.client(), patience=10)
        await nats.ensure_topology()
        yield nats
        await nats.close()
    finally:
        await server.stop()


async def take(bus: Bus, count: int, durable: str = "reader", subject: str = "kw.v1.event.>"):
    """Return the next `count` messages, acknowledged."""
    taken: list[Message] = []
    async with asyncio.timeout(10), aclosing(bus.consume(subject, durable)) as messages:
        async for message in messages:
            await message.ack()
            taken.append(message)
            if len(taken) == count:
                break
    return taken


async def test_messages_arrive_in_order_with_their_ids(bus: Bus):
    for number in range(250):
        await bus.publish(SUBJECT, b"%d" % number, f"node-1:boot:{number}")
    taken = await take(bus, 250)
    assert [message.payload for message in taken] == [b"%d" % number for number in range(250)]
    assert taken[7].id == "node-1:boot:7"
    assert taken[7].subject == SUBJECT


async def test_the_same_id_is_stored_once(bus: Bus):
    for payload in (b"first", b"again"):
        await bus.publish(SUBJECT, payload, "node-1:boot:1")
    await bus.publish(SUBJECT, b"next", "node-1:boot:2")
    assert [message.payload for message in await take(bus, 2)] == [b"first", b"next"]


async def test_a_durable_goes_on_where_it_stopped_and_others_start_at_the_beginning(bus: Bus):
    for number in range(4):
        await bus.publish(SUBJECT, b"%d" % number, f"id-{number}")
    assert [m.payload for m in await take(bus, 2, "first")] == [b"0", b"1"]
    assert sorted([m.payload for m in await take(bus, 2, "first")]) == [b"2", b"3"]
    assert [m.payload for m in await take(bus, 1, "second")] == [b"0"]


async def test_what_is_not_acknowledged_comes_again(bus: Bus):
    for number in range(3):
        await bus.publish(SUBJECT, b"%d" % number, f"id-{number}")
    seen = []
    async with asyncio.timeout(10), aclosing(bus.consume(SUBJECT, "reader")) as messages:
        async for message in messages:
            seen.append(message.payload)
            if message.payload == b"1":
                await message.ack()
            if len(seen) == 3:
                break
    assert seen == [b"0", b"1", b"2"]
    again = await take(bus, 2, subject=SUBJECT)
    assert sorted(message.payload for message in again) == [b"0", b"2"]


async def test_consumers_of_one_name_share(bus: Bus):
    for number in range(40):
        await bus.publish(SUBJECT, b"%d" % number, f"id-{number}")
    got: list[list[bytes]] = [[], []]

    async def work(mine: list[bytes]) -> None:
        async with aclosing(bus.consume(SUBJECT, "shared", batch=5)) as messages:
            async for message in messages:
                mine.append(message.payload)
                await message.ack()
                await asyncio.sleep(0.001)

    workers = [asyncio.create_task(work(mine)) for mine in got]
    await until(lambda: sum(map(len, got)) >= 40)
    for worker in workers:
        worker.cancel()
    await asyncio.gather(*workers, return_exceptions=True)
    assert sorted(got[0] + got[1]) == sorted(b"%d" % number for number in range(40))
    assert got[0]
    assert got[1]


async def test_filters_take_tokens_and_the_rest(bus: Bus):
    await bus.publish("kw.v1.event.runtime.a", b"a", "1")
    await bus.publish("kw.v1.event.network.a", b"b", "2")
    await bus.publish("kw.v1.event.runtime.b", b"c", "3")
    assert [m.payload for m in await take(bus, 2, "r", "kw.v1.event.runtime.*")] == [b"a", b"c"]
    assert [m.payload for m in await take(bus, 2, "n", "kw.v1.event.*.a")] == [b"a", b"b"]


async def test_a_durable_name_reads_one_subject(bus: Bus):
    await bus.publish(SUBJECT, b"x", "1")
    await take(bus, 1, "reader", SUBJECT)
    with pytest.raises(ConfigError, match="already reads"):
        await take(bus, 1, "reader", "kw.v1.event.network.*")


async def test_a_new_message_wakes_a_waiting_consumer_at_once(bus: Bus):
    waiting = asyncio.create_task(take(bus, 1))
    await asyncio.sleep(0.3)
    loop = asyncio.get_running_loop()
    before = loop.time()
    await bus.publish(SUBJECT, b"now", "1")
    await waiting
    assert loop.time() - before < 0.5


async def test_put_and_get(bus: Bus):
    assert await bus.get("envelopes", "one") is None
    first = await bus.put("envelopes", "one", b"1")
    second = await bus.put("envelopes", "one", b"2")
    assert second > first
    assert await bus.get("envelopes", "one") == Entry("envelopes", "one", b"2", second)
    assert await bus.get("revocations", "one") is None


async def test_watch_gives_the_present_then_none_then_changes(bus: Bus):
    await bus.put("revocations", "a", b"1")
    await bus.put("revocations", "b", b"1")
    await bus.put("revocations", "a", b"2")
    await bus.put("envelopes", "elsewhere", b"x")
    seen: list[tuple[str, bytes | None] | None] = []
    revisions = []
    async with asyncio.timeout(10), aclosing(bus.watch("revocations")) as entries:
        async for entry in entries:
            if entry is None:
                seen.append(None)
                await bus.put("revocations", "c", b"3")
                continue
            seen.append((entry.key, entry.value))
            revisions.append(entry.revision)
            if entry.key == "c":
                break
    assert seen == [("b", b"1"), ("a", b"2"), None, ("c", b"3")]
    assert revisions == sorted(set(revisions))


async def test_watch_of_an_empty_bucket_is_caught_up_at_once(bus: Bus):
    async with asyncio.timeout(5), aclosing(bus.watch("status")) as entries:
        assert await anext(entries) is None


@pytest.mark.parametrize(
    ("subject", "size", "identity"),
    [
        ("kw.v1.event.runtime.n", MAX_PAYLOAD + 1, "1"),
        ("kw.v1.event.runtime.n\r\nPUB x 0", 1, "1"),
        ("kw.v1..n", 1, "1"),
        ("kw.v1.event.*.n", 1, "1"),
        ("kw.v1.event.runtime.n", 1, "a\r\nNats-Rollup: all"),
        ("kw.v1.event.runtime.n", 1, ""),
    ],
)
async def test_bad_messages_are_refused(bus: Bus, subject: str, size: int, identity: str):
    with pytest.raises(FormatError):
        await bus.publish(subject, b"x" * size, identity)


@pytest.mark.parametrize(
    ("bucket", "key", "size"),
    [
        ("nowhere", "a", 1),
        ("envelopes", "a.b", 1),
        ("envelopes", ">", 1),
        ("envelopes", "", 1),
        ("envelopes", "a", MAX_VALUE + 1),
    ],
)
async def test_bad_entries_are_refused(bus: Bus, bucket: str, key: str, size: int):
    with pytest.raises(FormatError):
        await bus.put(bucket, key, b"x" * size)


async def test_the_largest_message_and_value_pass(bus: Bus):
    await bus.publish(SUBJECT, b"x" * MAX_PAYLOAD, "i" * 256)
    assert len((await take(bus, 1))[0].payload) == MAX_PAYLOAD
    await bus.put("envelopes", "k" * 200, b"y" * MAX_VALUE)
    entry = await bus.get("envelopes", "k" * 200)
    assert entry is not None
    assert entry.value == b"y" * MAX_VALUE


async def test_close_ends_consumers_and_refuses_what_comes_later(bus: Bus):
    async def read() -> list[Message]:
        return [message async for message in bus.consume(SUBJECT, "reader")]

    async def look() -> list[Entry | None]:
        return [entry async for entry in bus.watch("status")]

    tasks = [asyncio.create_task(read()), asyncio.create_task(look())]
    await asyncio.sleep(0.3)
    await bus.close()
    async with asyncio.timeout(5):
        assert await tasks[0] == []
        assert await tasks[1] == [None]
    with pytest.raises(ConnectError, match="closed"):
        await bus.publish(SUBJECT, b"x", "1")


@pytest.mark.parametrize(
    ("subject", "pattern", "expected"),
    [
        ("a.b.c", "a.b.c", True),
        ("a.b.c", "a.*.c", True),
        ("a.b.c", "a.>", True),
        ("a.b.c", ">", True),
        ("a.b", "a.b.>", False),
        ("a.b.c", "a.b", False),
        ("a.b", "a.b.*", False),
        ("a.x.c", "a.b.c", False),
    ],
)
def test_matching_is_that_of_nats(subject: str, pattern: str, *, expected: bool):
    assert matches(subject, pattern) is expected


async def test_the_memory_bus_forgets_the_oldest_beyond_its_capacity():
    bus = MemoryBus(capacity=10)
    for number in range(5):
        await bus.publish(SUBJECT, b"%03d" % number, f"id-{number}")
    assert [message.payload for message in await take(bus, 3)] == [b"002", b"003", b"004"]
