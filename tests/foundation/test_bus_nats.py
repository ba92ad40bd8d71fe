"""The NATS server and client for real: who gets in, and what survives."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import nats
import psutil
import pytest
from bus_setup import Certificates, until
from nats.js.errors import APIError

from keepwall.foundation.bus import server as server_module
from keepwall.foundation.bus.nats import NatsBus
from keepwall.foundation.bus.server import NatsServer, find_binary
from keepwall.vocabulary.errors import ConfigError, ConnectError
from keepwall.vocabulary.subjects import BUCKETS, EVENT_STREAM

pytestmark = pytest.mark.real

SUBJECT = "kw.v1.event.runtime.node-1"


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return Certificates.make(tmp_path)


async def start(made: Certificates, directory: Path, port: int = 0) -> NatsServer:
    return await NatsServer.start(
        directory, certificate=made.certificate, key=made.key, ca=made.ca, port=port
    )


@pytest.fixture
async def server(made: Certificates, tmp_path: Path) -> AsyncIterator[NatsServer]:
    server = await start(made, tmp_path / "bus")
    yield server
    await server.stop()


@pytest.fixture
async def bus(server: NatsServer, made: Certificates) -> AsyncIterator[NatsBus]:
    bus = await NatsBus.connect(server.url, made.client(), patience=20)
    await bus.ensure_topology()
    yield bus
    await bus.close()


def port_of(server: NatsServer) -> int:
    return int(server.url.rpartition(":")[2])


async def kill(server: NatsServer) -> None:
    """Kill the server as a power cut would, as far as a process can be."""
    os.kill(server.pid, signal.SIGKILL)
    await until(lambda: not server.running)


def ended(process: psutil.Process) -> bool:
    return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


@pytest.mark.parametrize("who", [None, "stranger"])
async def test_a_client_without_our_certificate_is_refused(
    server: NatsServer, made: Certificates, who: str | None
):
    with pytest.raises(ConnectError, match="let us in") as caught:
        await NatsBus.connect(server.url, made.client(who), timeout=1.5)
    assert "certificate" in caught.value.hint


async def test_a_client_that_does_not_know_the_server_refuses_it(
    server: NatsServer, tmp_path: Path
):
    (tmp_path / "other").mkdir()
    other = Certificates.make(tmp_path / "other")
    with pytest.raises(ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        await NatsBus.connect(server.url, other.client(), timeout=1.5)


async def test_a_server_that_offers_plain_text_gets_no_word_from_us(made: Certificates):
    heard = bytearray()

    async def strip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b'INFO {"server_id":"x","version":"2.11.0","max_payload":1048576}\r\n')
        heard.extend(await reader.read(4_096))
        writer.close()

    false = await asyncio.start_server(strip, "127.0.0.1", 0)
    port = false.sockets[0].getsockname()[1]
    with pytest.raises(ConnectError):
        await NatsBus.connect(f"tls://127.0.0.1:{port}", made.client(), timeout=1)
    false.close()
    await false.wait_closed()
    assert b"CONNECT" not in heard


async def test_without_tls_only_loopback_is_allowed():
    with pytest.raises(ConfigError, match="TLS"):
        await NatsBus.connect("nats://192.0.2.1:4222", None)


async def test_it_listens_on_loopback_alone_and_its_files_are_private(
    server: NatsServer, tmp_path: Path
):
    addresses = {
        connection.laddr.ip
        for connection in psutil.Process(server.pid).net_connections()
        if connection.status == psutil.CONN_LISTEN
    }
    assert addresses == {"127.0.0.1"}
    assert stat.S_IMODE((tmp_path / "bus" / "server.conf").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "bus").stat().st_mode) == 0o700


async def test_a_taken_port_is_said(made: Certificates, tmp_path: Path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConnectError, match=f"port {port} .* is taken") as caught:
            await start(made, tmp_path / "bus", port)
    assert "another port" in caught.value.hint


async def test_two_servers_do_not_share_a_directory(
    server: NatsServer, made: Certificates, tmp_path: Path
):
    assert server.running
    with pytest.raises(ConnectError, match="another NATS server uses"):
        await start(made, tmp_path / "bus")


async def test_a_bad_certificate_is_said(made: Certificates, tmp_path: Path):
    made.certificate.write_text("nonsense")
    with pytest.raises(ConnectError, match="the NATS server ended"):
        await start(made, tmp_path / "bus")


async def test_no_binary_is_said(monkeypatch: pytest.MonkeyPatch):
    assert find_binary().name == "nats-server"
    monkeypatch.setattr(server_module.shutil, "which", lambda *_, **__: None)
    with pytest.raises(ConfigError, match="no nats-server"):
        find_binary()


async def test_the_server_dies_with_its_parent(made: Certificates, tmp_path: Path):
    program = textwrap.dedent(f"""
        import asyncio
        from pathlib import Path
        from keepwall.foundation.bus.server import NatsServer
        async def main():
            server = await NatsServer.start(Path({str(tmp_path / "bus")!r}),
                certificate=Path({str(made.certificate)!r}), key=Path({str(made.key)!r}),
                ca=Path({str(made.ca)!r}))
            print(server.pid, flush=True)
            await asyncio.sleep(60)
        asyncio.run(main())
    """)
    with subprocess.Popen(  # noqa: ASYNC220 - the parent that is killed
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = psutil.Process(int(parent.stdout.readline()))
        assert child.is_running()
        parent.kill()
    await until(lambda: ended(child))
    # And the directory is free again.
    await (await start(made, tmp_path / "bus")).stop()


async def test_after_kill_no_acknowledged_message_is_lost_and_none_comes_twice(
    server: NatsServer, bus: NatsBus, made: Certificates, tmp_path: Path
):
    total = 600
    stored: set[str] = set()
    arrived: list[str] = []

    async def publish() -> None:
        for number in range(total):
            identity = f"node-1:boot:{number}"
            await bus.publish(SUBJECT, b"x" * 200, identity)
            stored.add(identity)

    async def consume() -> None:
        async with aclosing(bus.consume(SUBJECT, "reader", batch=20)) as messages:
            async for message in messages:
                arrived.append(message.id)
                await message.ack()

    consumer = asyncio.create_task(consume())
    publisher = asyncio.create_task(publish())
    port = port_of(server)
    running = server
    try:
        for share in (0.25, 0.6):
            await until(lambda share=share: len(stored) >= total * share)
            await kill(running)
            before = len(stored)
            running = await start(made, tmp_path / "bus", port)
            assert before < total
        async with asyncio.timeout(60):
            await publisher
            await until(lambda: len(set(arrived)) >= total)
        await asyncio.sleep(0.5)
    finally:
        consumer.cancel()
        publisher.cancel()
        await asyncio.gather(consumer, publisher, return_exceptions=True)
        await bus.close()
        await running.stop()
    assert len(stored) == total
    assert sorted(arrived) == sorted(stored)


async def test_an_id_that_was_stored_before_the_kill_is_known_after_it(
    server: NatsServer, bus: NatsBus, made: Certificates, tmp_path: Path
):
    await bus.publish(SUBJECT, b"first", "node-1:boot:1")
    await kill(server)
    again = await start(made, tmp_path / "bus", port_of(server))
    try:
        await bus.publish(SUBJECT, b"again", "node-1:boot:1")
        info = await bus._jetstream.stream_info(EVENT_STREAM)
        assert info.state.messages == 1
    finally:
        await bus.close()
        await again.stop()


async def test_a_watch_goes_on_after_a_restart_and_repeats_nothing(
    server: NatsServer, bus: NatsBus, made: Certificates, tmp_path: Path
):
    await bus.put("revocations", "a", b"1")
    seen: list[tuple[str, bytes | None] | None] = []

    async def watch() -> None:
        async with aclosing(bus.watch("revocations")) as entries:
            async for entry in entries:
                seen.append(entry and (entry.key, entry.value))  # noqa: PERF401 - seen while it grows

    watcher = asyncio.create_task(watch())
    await until(lambda: None in seen)
    await kill(server)
    again = await start(made, tmp_path / "bus", port_of(server))
    try:
        await bus.put("revocations", "b", b"2")
        await until(lambda: len(seen) >= 3)
        await bus.put("revocations", "c", b"3")
        await until(lambda: len(seen) >= 4)
    finally:
        watcher.cancel()
        await asyncio.gather(watcher, return_exceptions=True)
        await bus.close()
        await again.stop()
    assert seen == [("a", b"1"), None, ("b", b"2"), ("c", b"3")]


async def test_a_deletion_by_another_client_is_seen(
    server: NatsServer, bus: NatsBus, made: Certificates
):
    await bus.put("envelopes", "a", b"1")
    async with (
        await nats.connect(server.url, tls=made.client(), tls_handshake_first=True) as other,
        asyncio.timeout(10),
        aclosing(bus.watch("envelopes")) as entries,
    ):
        first = await anext(entries)
        assert first is not None
        assert first.value == b"1"
        assert await anext(entries) is None
        bucket = await other.jetstream().key_value("envelopes")
        await bucket.delete("a")
        second = await anext(entries)
        assert second is not None
        assert (second.key, second.value) == ("a", None)
        gone = await bus.get("envelopes", "a")
        assert gone is not None
        assert gone.value is None


async def test_the_topology_is_bounded_and_keeps_what_is_there(bus: NatsBus):
    await bus.publish(SUBJECT, b"x", "1")
    await bus.put("envelopes", "a", b"1")
    await bus.ensure_topology(total_bytes=64 * 1024 * 1024)
    streams = [EVENT_STREAM, *(f"KV_{bucket}" for bucket in BUCKETS)]
    configs = [(await bus._jetstream.stream_info(name)).config for name in streams]
    assert sum(config.max_bytes for config in configs) <= 64 * 1024 * 1024
    assert configs[0].max_age == 7 * 86_400
    assert configs[0].duplicate_window >= 120
    assert all(config.storage == "file" for config in configs)
    assert (await bus._jetstream.stream_info(EVENT_STREAM)).state.messages == 1
    entry = await bus.get("envelopes", "a")
    assert entry is not None
    assert entry.value == b"1"


async def test_no_client_can_empty_a_stream(bus: NatsBus):
    await bus.publish(SUBJECT, b"x", "1")
    with pytest.raises(APIError):
        await bus._jetstream.purge_stream(EVENT_STREAM)
    with pytest.raises(APIError):
        await bus._jetstream.delete_msg(EVENT_STREAM, 1)


async def test_a_full_bucket_refuses_and_keeps_what_it_has(bus: NatsBus):
    await bus.ensure_topology(total_bytes=16 * 1024 * 1024)

    async def fill() -> None:
        for number in range(10):
            await bus.put("revocations", f"k{number}", b"x" * 250_000)

    with pytest.raises(ConnectError, match="refuses") as caught:
        await fill()
    assert "full" in caught.value.hint
    entry = await bus.get("revocations", "k0")
    assert entry is not None


async def test_a_topology_larger_than_the_server_is_refused(bus: NatsBus):
    with pytest.raises(ConnectError, match="refuses stream"):
        await bus.ensure_topology(total_bytes=2**40)


async def test_a_bus_that_stays_away_is_an_error_in_time(server: NatsServer, made: Certificates):
    bus = await NatsBus.connect(server.url, made.client(), patience=1)
    await bus.ensure_topology()
    await server.stop()
    loop = asyncio.get_running_loop()
    before = loop.time()
    with pytest.raises(ConnectError, match="did not answer in time"):
        await bus.publish(SUBJECT, b"x", "1")
    assert loop.time() - before < 4
    await bus.close()


async def test_publications_under_way_are_bounded(server: NatsServer, made: Certificates):
    bus = await NatsBus.connect(server.url, made.client(), patience=2, in_flight=4)
    await bus.ensure_topology()
    await server.stop()
    tasks = [
        asyncio.create_task(bus.publish(SUBJECT, b"x" * 100_000, f"id-{number}"))
        for number in range(50)
    ]
    await asyncio.sleep(0.5)
    assert bus._client.pending_data_size < 1_000_000
    assert not any(task.done() for task in tasks)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await bus.close()
