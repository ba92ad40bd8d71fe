"""The streams and buckets on a NATS server, with limits so that its disk cannot fill."""

from __future__ import annotations

import nats.errors
from nats.js import JetStreamContext, api
from nats.js.errors import APIError, NotFoundError

from keepwall.foundation.bus.contract import DEDUPLICATION_SECONDS, MAX_PAYLOAD, MAX_VALUE
from keepwall.vocabulary.errors import ConnectError
from keepwall.vocabulary.subjects import BUCKETS, EVENT_STREAM, EVENT_SUBJECTS

DEFAULT_BYTES = 1_536 * 1024 * 1024
"""What events and documents may take on disk together."""
EVENT_DAYS = 7
"""How long events wait for a consumer; history is kept elsewhere."""

_HEADER_BYTES = 4_096


def bucket_stream(bucket: str) -> str:
    """Return the stream behind a bucket, named as every NATS client names it."""
    return f"KV_{bucket}"


def bucket_subject(bucket: str, key: str) -> str:
    """Return the subject that carries `key` of a bucket; ``>`` for all keys."""
    return f"$KV.{bucket}.{key}"


def stream_configs(total_bytes: int, replicas: int) -> list[api.StreamConfig]:
    """Return every stream: three quarters of the bytes for events, the rest for the buckets."""
    events = api.StreamConfig(
        name=EVENT_STREAM,
        subjects=[EVENT_SUBJECTS],
        storage=api.StorageType.FILE,
        retention=api.RetentionPolicy.LIMITS,
        discard=api.DiscardPolicy.OLD,
        max_bytes=total_bytes * 3 // 4,
        max_age=EVENT_DAYS * 86_400,
        max_msg_size=MAX_PAYLOAD + _HEADER_BYTES,
        duplicate_window=DEDUPLICATION_SECONDS,
        num_replicas=replicas,
        deny_delete=True,
        deny_purge=True,
    )
    buckets = [
        api.StreamConfig(
            name=bucket_stream(bucket),
            subjects=[bucket_subject(bucket, ">")],
            storage=api.StorageType.FILE,
            retention=api.RetentionPolicy.LIMITS,
            # A full bucket refuses: a revocation must not fall out at the other end.
            discard=api.DiscardPolicy.NEW,
            max_msgs_per_subject=1,
            max_bytes=total_bytes // 4 // len(BUCKETS),
            max_msg_size=MAX_VALUE + _HEADER_BYTES,
            duplicate_window=DEDUPLICATION_SECONDS,
            num_replicas=replicas,
            allow_direct=True,
            deny_delete=True,
            deny_purge=True,
        )
        for bucket in BUCKETS
    ]
    return [events, *buckets]


async def ensure_topology(jetstream: JetStreamContext, total_bytes: int, replicas: int) -> None:
    """Create what is missing and bring limits of what exists up to date; keeps all data.

    Raises:
        ConnectError: the server refuses, for example because it has less storage.
    """
    for config in stream_configs(total_bytes, replicas):
        name = str(config.name)
        try:
            try:
                await jetstream.stream_info(name)
            except NotFoundError:
                await jetstream.add_stream(config)
            else:
                await jetstream.update_stream(config)
        except APIError as error:
            raise ConnectError(
                f"the NATS server refuses stream {name}: {error.description}",
                hint="give JetStream more storage, or remove a stream of another purpose",
            ) from error
        except nats.errors.Error as error:
            raise ConnectError(
                f"the NATS server did not create stream {name}: {error}",
                hint="enable JetStream on the server",
            ) from error
