"""Messages from a JetStream pull consumer, through restarts of the server.

The client library's own ``fetch`` waits for a full batch before it returns the first message; a
revocation must not wait.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from keepwall.vocabulary.errors import ConfigError

_log = logging.getLogger(__name__)

_EXPIRES_SECONDS = 30
_HEARTBEAT_SECONDS = 1
_SILENCE_SECONDS = 2.5
_RETRY_SECONDS = 0.2
_CLOSE_SECONDS = 0.5
_NANOSECONDS = 1_000_000_000
_HEARTBEAT = "100"
_ENDED = ("404", "408")
"""No messages, or the request has run its time: ask again."""


class _LostError(Exception):
    """The consumer or the server is gone; make the consumer again."""


class Puller:
    """Reads consumers over one connection, until it is closed."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._jetstream = client.jetstream()
        self._arrivals: set[asyncio.Queue[Msg | None]] = set()
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False

    async def close(self) -> None:
        """End every generator, and give those that wait a moment to return what they hold."""
        self._closed = True
        for arrived in self._arrivals:
            arrived.put_nowait(None)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):
                await self._idle.wait()

    async def pull(
        self, stream: str, config: api.ConsumerConfig, batch: int
    ) -> AsyncGenerator[Msg | None, None]:
        """Yield messages until closed, and None whenever the server has no more at the moment.

        A message that was not acknowledged comes again. A consumer without a durable name starts
        again by its own rule when it is lost, so its messages come again too.

        Raises:
            ConfigError: the durable name is in use for another subject.
        """
        while not self._closed:
            try:
                info = await _consumer(self._jetstream, stream, config)
                async with aclosing(self._session(info, batch)) as session:
                    async for message in session:
                        yield message
            except (_LostError, nats.errors.Error, OSError) as error:
                _log.debug("consumer of %s is taken up again: %r", stream, error)
                await asyncio.sleep(_RETRY_SECONDS)

    async def _session(
        self, info: api.ConsumerInfo, batch: int
    ) -> AsyncGenerator[Msg | None, None]:
        """Yield from one subscription until it is lost or this is closed."""
        arrived: asyncio.Queue[Msg | None] = asyncio.Queue()
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox, cb=arrived.put)
        self._arrivals.add(arrived)
        self._idle.clear()
        try:
            if not info.num_pending:
                yield None
            async with aclosing(self._requested(info, inbox, arrived, batch)) as messages:
                async for message in messages:
                    pending = message.metadata.num_pending
                    yield message
                    if not pending:
                        yield None
        finally:
            await _give_back(self._client, subscription, arrived)
            self._arrivals.discard(arrived)
            if not self._arrivals:
                self._idle.set()

    async def _requested(
        self, info: api.ConsumerInfo, inbox: str, arrived: asyncio.Queue[Msg | None], batch: int
    ) -> AsyncGenerator[Msg, None]:
        """Ask for one batch after the other."""
        subject = f"$JS.API.CONSUMER.MSG.NEXT.{info.stream_name}.{info.name}"
        request = {
            "batch": batch,
            "expires": _EXPIRES_SECONDS * _NANOSECONDS,
            "idle_heartbeat": _HEARTBEAT_SECONDS * _NANOSECONDS,
        }
        while not self._closed:
            await self._client.publish(subject, json.dumps(request).encode(), reply=inbox)
            left = batch
            while left:
                message = await _next(arrived)
                if message is None:
                    return
                status = _status(message)
                if status is None:
                    left -= 1
                    yield message
                elif status in _ENDED:
                    break
                elif status != _HEARTBEAT:
                    raise _LostError(status)


async def settle(message: Msg, *, done: bool) -> None:
    """Tell the server that a message is done or not; if that is lost, it delivers it again."""
    with suppress(nats.errors.Error, OSError):
        await (message.ack() if done else message.nak())


async def _consumer(
    jetstream: JetStreamContext, stream: str, config: api.ConsumerConfig
) -> api.ConsumerInfo:
    if not config.durable_name:
        return await jetstream.add_consumer(stream, config=config)
    try:
        info: api.ConsumerInfo = await jetstream.consumer_info(stream, config.durable_name)
    except NotFoundError:
        return await jetstream.add_consumer(stream, config=config)
    if info.config.filter_subject != config.filter_subject:
        raise ConfigError(
            f"consumer {config.durable_name} already reads {info.config.filter_subject}"
        )
    return info


def _status(message: Msg) -> str | None:
    return (message.headers or {}).get(api.Header.STATUS.value)


async def _next(arrived: asyncio.Queue[Msg | None]) -> Msg | None:
    try:
        async with asyncio.timeout(_SILENCE_SECONDS):
            return await arrived.get()
    except TimeoutError as error:
        raise _LostError("no heartbeat") from error


async def _give_back(
    client: Client, subscription: Subscription, arrived: asyncio.Queue[Msg | None]
) -> None:
    """End the subscription, and return what arrived and was not handed on."""
    if not client.is_connected:
        with suppress(nats.errors.Error, OSError):
            await subscription.unsubscribe()
        return
    with suppress(nats.errors.Error, OSError):
        async with asyncio.timeout(_SILENCE_SECONDS):
            # Waits for what the server has sent already, which would else be missing for a while.
            await subscription.drain()  # type: ignore[no-untyped-call]
    while not arrived.empty():
        message = arrived.get_nowait()
        if message is not None and message.reply and _status(message) is None:
            await settle(message, done=False)
