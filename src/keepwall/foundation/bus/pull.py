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
_NANOSECONDS = 1_000_000_000
_HEARTBEAT = "100"
_ENDED = ("404", "408")
"""No messages, or the request has run its time: ask again."""


class _LostError(Exception):
    """The consumer or the server is gone; make the consumer again."""


async def pull(
    client: Client, stream: str, config: api.ConsumerConfig, batch: int
) -> AsyncGenerator[Msg | None, None]:
    """Yield messages until closed, and None whenever the server has no more at the moment.

    A message that was not acknowledged comes again. A consumer without a durable name starts again
    by its own rule when it is lost, so its messages come again too.

    Raises:
        ConfigError: the durable name is in use for another subject.
    """
    jetstream = client.jetstream()
    while not client.is_closed:
        try:
            info = await _consumer(jetstream, stream, config)
            async with aclosing(_session(client, info, batch)) as session:
                async for message in session:
                    yield message
        except nats.errors.ConnectionClosedError:
            return
        except (_LostError, nats.errors.Error, OSError) as error:
            _log.debug("consumer of %s is taken up again: %r", stream, error)
            await asyncio.sleep(_RETRY_SECONDS)


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


async def _session(
    client: Client, info: api.ConsumerInfo, batch: int
) -> AsyncGenerator[Msg | None, None]:
    """Yield from one subscription until it is lost."""
    subject = f"$JS.API.CONSUMER.MSG.NEXT.{info.stream_name}.{info.name}"
    request = {
        "batch": batch,
        "expires": _EXPIRES_SECONDS * _NANOSECONDS,
        "idle_heartbeat": _HEARTBEAT_SECONDS * _NANOSECONDS,
    }
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    try:
        if not info.num_pending:
            yield None
        while True:
            await client.publish(subject, json.dumps(request).encode(), reply=inbox)
            left = batch
            while left:
                message = await _next(subscription)
                status = (message.headers or {}).get(api.Header.STATUS.value)
                if status is None:
                    left -= 1
                    pending = message.metadata.num_pending
                    yield message
                    if not pending:
                        yield None
                elif status in _ENDED:
                    break
                elif status != _HEARTBEAT:
                    raise _LostError(status)
    finally:
        await _give_back(subscription)


async def _next(subscription: Subscription) -> Msg:
    try:
        return await subscription.next_msg(timeout=_SILENCE_SECONDS)
    except nats.errors.TimeoutError as error:
        raise _LostError("no heartbeat") from error


async def _give_back(subscription: Subscription) -> None:
    """End the subscription, and return what arrived and was not handed on."""
    with suppress(nats.errors.Error, OSError):
        while subscription.pending_msgs:
            message = await subscription.next_msg(timeout=_SILENCE_SECONDS)
            if message.reply and not (message.headers or {}).get(api.Header.STATUS.value):
                await settle(message, done=False)
        await subscription.unsubscribe()
