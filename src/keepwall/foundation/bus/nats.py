"""The bus between processes: NATS JetStream with mutual TLS."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from typing import TypeVar
from urllib.parse import urlsplit

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError

from keepwall.foundation.bus import topology
from keepwall.foundation.bus.contract import (
    ACKNOWLEDGE_SECONDS,
    Entry,
    Message,
    check_bucket,
    check_consumer,
    check_entry,
    check_message,
)
from keepwall.foundation.bus.pull import Puller, settle
from keepwall.foundation.bus.recent import Recent
from keepwall.vocabulary.errors import ConfigError, ConnectError
from keepwall.vocabulary.subjects import EVENT_STREAM

_log = logging.getLogger(__name__)
_Result = TypeVar("_Result")

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_REQUEST_SECONDS = 5.0
_RETRY_SECONDS = 0.1
_IDLE_CONSUMER_SECONDS = 60.0
_REMEMBERED = 65_536
_WATCH_BATCH = 256
_STARTING = 10_008
"""JetStream's code for "temporarily unavailable"; other refusals, such as a full disk, stay."""
_DELETED = ("DEL", "PURGE")
_TRANSIENT = (
    nats.errors.TimeoutError,
    nats.errors.NoRespondersError,
    nats.errors.StaleConnectionError,
    nats.errors.OutboundBufferLimitError,
    nats.errors.ConnectionReconnectingError,
    NoStreamResponseError,
    OSError,
)
"""What goes by itself: the server restarts, or the line is cut."""


class NatsBus:
    """A bus over a NATS server or cluster; open it with `connect`."""

    def __init__(self, client: Client, *, patience: float, in_flight: int) -> None:
        self._client = client
        self._jetstream = client.jetstream(timeout=_REQUEST_SECONDS)
        self._puller = Puller(client)
        self._patience = patience
        self._slots = asyncio.Semaphore(in_flight)
        self._settled: dict[str, Recent] = {}

    @classmethod
    async def connect(
        cls,
        url: str,
        tls: ssl.SSLContext | None,
        *,
        name: str = "keepwall",
        tls_hostname: str | None = None,
        patience: float = 30.0,
        in_flight: int = 256,
        timeout: float = 5.0,  # noqa: ASYNC109 - bounds the first connection, not an await of the caller
    ) -> NatsBus:
        """Return a connected bus; a connection that breaks later is taken up again for ever.

        `tls` holds the client's certificate; TLS comes before the first byte, so nobody on the
        way can talk the client out of it (a server needs ``handshake_first``). Without `tls` only
        loopback is allowed. `patience` is how many seconds an operation waits for a bus that is
        away; `in_flight` bounds the publications that wait at a time.

        Raises:
            ConfigError: the URL is not acceptable.
            ConnectError: no server answered within `timeout` seconds, or it refused the client.
        """
        if tls is None and urlsplit(url).hostname not in _LOOPBACK:
            raise ConfigError(
                "a NATS server on another machine needs TLS", hint="give a client certificate"
            )
        troubles: list[Exception] = []

        async def trouble(error: Exception) -> None:
            troubles[:] = [error]
            _log.debug("NATS connection: %s", error)

        client = Client()
        try:
            async with asyncio.timeout(timeout):
                await client.connect(
                    servers=[url],
                    tls=tls,
                    tls_hostname=tls_hostname,
                    tls_handshake_first=tls is not None,
                    name=name,
                    error_cb=trouble,
                    max_reconnect_attempts=-1,
                    reconnect_time_wait=0.25,  # type: ignore[arg-type]  # seconds, any number
                    connect_timeout=2,
                    ping_interval=5,
                    max_outstanding_pings=2,
                    inbox_prefix="_INBOX",
                )
        except (TimeoutError, OSError, nats.errors.Error, ValueError) as error:
            with suppress(nats.errors.Error, OSError):
                await client.close()
            reason = troubles[0] if troubles else error
            raise ConnectError(
                f"no NATS server at {_shown(url)} let us in: {reason or type(reason).__name__}",
                hint="check that the server runs and that it trusts this client's certificate",
            ) from error
        return cls(client, patience=patience, in_flight=in_flight)

    async def ensure_topology(
        self, *, total_bytes: int = topology.DEFAULT_BYTES, replicas: int = 1
    ) -> None:
        """Create the event stream and the buckets, or bring their limits up to date.

        Called by the control plane. `total_bytes` is what they may take on disk together.

        Raises:
            ConnectError: the server refuses.
        """
        await topology.ensure_topology(self._jetstream, total_bytes, replicas)

    async def publish(self, subject: str, payload: bytes, message_id: str) -> None:
        """Store one message; see `Bus.publish`."""
        check_message(subject, payload, message_id)
        headers = {api.Header.MSG_ID.value: message_id}
        async with self._slots:
            await self._persist(
                f"a message on {subject}",
                lambda: self._jetstream.publish(subject, payload, headers={**headers}),
            )

    async def put(self, bucket: str, key: str, value: bytes) -> int:
        """Store a value; see `Bus.put`."""
        check_entry(bucket, key, value)
        subject = topology.bucket_subject(bucket, key)
        ack = await self._persist(
            f"{bucket}/{key}", lambda: self._jetstream.publish(subject, value)
        )
        return ack.seq

    async def get(self, bucket: str, key: str) -> Entry | None:
        """Return the entry of a key; see `Bus.get`."""
        check_entry(bucket, key)
        stream, subject = topology.bucket_stream(bucket), topology.bucket_subject(bucket, key)
        try:
            found = await self._persist(
                f"{bucket}/{key}",
                lambda: self._jetstream.get_msg(stream, subject=subject, direct=True),
            )
        except NotFoundError:
            return None
        deleted = (found.headers or {}).get("KV-Operation") in _DELETED
        return Entry(bucket, key, None if deleted else found.data or b"", found.seq or 0)

    async def consume(
        self, subject: str, durable: str, *, batch: int = 100
    ) -> AsyncGenerator[Message, None]:
        """Yield messages until closed; see `Bus.consume`."""
        check_consumer(subject, durable)
        settled = self._settled.setdefault(durable, Recent(_REMEMBERED))
        held: dict[str, Msg] = {}
        config = api.ConsumerConfig(
            name=durable,
            durable_name=durable,
            filter_subject=subject,
            deliver_policy=api.DeliverPolicy.ALL,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=ACKNOWLEDGE_SECONDS,
            max_ack_pending=max(1_000, batch * 10),
        )
        try:
            async with aclosing(self._puller.pull(EVENT_STREAM, config, batch)) as received:
                async for raw in received:
                    if raw is None:
                        continue
                    identity = (raw.headers or {}).get(api.Header.MSG_ID.value)
                    identity = identity or f"sequence {raw.metadata.sequence.stream}"
                    if identity in settled:
                        await settle(raw, done=True)
                        continue
                    held[identity] = raw
                    yield _message(raw, identity, held, settled)
        finally:
            for raw in held.values():
                await settle(raw, done=False)

    async def watch(self, bucket: str) -> AsyncGenerator[Entry | None, None]:
        """Yield entries, None, then changes; see `Bus.watch`."""
        check_bucket(bucket)
        prefix = topology.bucket_subject(bucket, "")
        config = api.ConsumerConfig(
            filter_subject=f"{prefix}>",
            deliver_policy=api.DeliverPolicy.LAST_PER_SUBJECT,
            ack_policy=api.AckPolicy.NONE,
            inactive_threshold=_IDLE_CONSUMER_SECONDS,
            mem_storage=True,
            num_replicas=1,
        )
        seen, caught_up = 0, False
        stream = topology.bucket_stream(bucket)
        async with aclosing(self._puller.pull(stream, config, _WATCH_BATCH)) as received:
            async for raw in received:
                if raw is None:
                    if not caught_up:
                        caught_up = True
                        yield None
                    continue
                # A consumer that was made anew sends everything again.
                revision = raw.metadata.sequence.stream
                if revision <= seen:
                    continue
                seen = revision
                deleted = (raw.headers or {}).get("KV-Operation") in _DELETED
                if deleted and not caught_up:
                    continue
                value = None if deleted else raw.data
                yield Entry(bucket, raw.subject.removeprefix(prefix), value, revision)

    async def close(self) -> None:
        """End every generator and the connection."""
        await self._puller.close()
        await self._client.close()

    async def _persist(self, what: str, action: Callable[[], Awaitable[_Result]]) -> _Result:
        """Do `action`, again and again while the bus is away, for at most `patience` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._patience
        reason: Exception | None = None
        while loop.time() < deadline and not self._client.is_closed:
            if not self._client.is_connected:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            try:
                return await action()
            except NotFoundError:
                raise
            except _TRANSIENT as error:
                reason = error
                await asyncio.sleep(_RETRY_SECONDS)
            except nats.errors.ConnectionClosedError as error:
                reason = error
            except APIError as error:
                if error.err_code == _STARTING:
                    reason = error
                    await asyncio.sleep(_RETRY_SECONDS)
                    continue
                raise ConnectError(
                    f"the bus refuses {what}: {error.description}",
                    hint="see whether its storage is full",
                ) from error
        state = "is closed" if self._client.is_closed else "did not answer in time"
        raise ConnectError(
            f"the bus {state}, {what} was not handled",
            hint="check that the control plane runs and has made its streams",
        ) from reason


def _message(raw: Msg, identity: str, held: dict[str, Msg], settled: Recent) -> Message:
    async def acknowledge() -> None:
        settled.add(identity)
        held.pop(identity, None)
        await settle(raw, done=True)

    return Message(raw.subject, raw.data, identity, acknowledge)


def _shown(url: str) -> str:
    """Return the URL without what may be a password."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.hostname}:{parts.port or 4222}"
