"""Batches of events as the payload of one message: JSON lines, one OCSF record each."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from keepwall.formats.ocsf.reader import Record, event_of, format_error
from keepwall.formats.ocsf.writer import encode
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.event import Event

MAX_BATCH_BYTES = 1_000_000
"""Largest batch in bytes; stays below the 1 MiB that a NATS server accepts by default."""
MAX_BATCH_EVENTS = 10_000
"""Most events in one batch."""


def encode_batch(events: Sequence[Event], *, version: str = "") -> bytes:
    """Return `events` as JSON lines, one OCSF record each, for one message on the bus.

    Raises:
        FormatError: more than `MAX_BATCH_EVENTS` or `MAX_BATCH_BYTES`.
    """
    if len(events) > MAX_BATCH_EVENTS:
        raise FormatError(f"{len(events)} events in one batch", hint="send smaller batches")
    encoder = msgspec.json.Encoder()
    payload = encoder.encode_lines([encode(event, version=version) for event in events])
    if len(payload) > MAX_BATCH_BYTES:
        raise FormatError(f"a batch of {len(payload)} bytes", hint="send smaller batches")
    return payload


def decode_batch(payload: bytes) -> list[Event]:
    """Return the events of a batch that `encode_batch` wrote.

    Raises:
        FormatError: the batch is too large, or a record is bad; names its index from 0 and field.
    """
    if len(payload) > MAX_BATCH_BYTES:
        raise FormatError(f"a batch of {len(payload)} bytes is larger than {MAX_BATCH_BYTES}")
    lines = payload.split(b"\n", MAX_BATCH_EVENTS + 1)
    if lines[-1] == b"":
        lines.pop()
    if len(lines) > MAX_BATCH_EVENTS:
        raise FormatError(f"a batch of more than {MAX_BATCH_EVENTS} events")
    decoder = msgspec.json.Decoder(Record)
    events = []
    for index, line in enumerate(lines):
        try:
            events.append(event_of(decoder.decode(line)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise format_error(error, f"record {index}") from None
        except FormatError as error:
            raise FormatError(error.message, place=f"record {index}") from None
    return events
