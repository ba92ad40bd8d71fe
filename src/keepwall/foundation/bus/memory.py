"""The bus inside one process."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

from keepwall.foundation.bus.contract import (
    Entry,
    Message,
    check_bucket,
    check_consumer,
    check_entry,
    check_message,
    matches,
)
from keepwall.foundation.bus.recent import Recent
from keepwall.vocabulary.errors import ConfigError, ConnectError


@dataclass(frozen=True, slots=True)
class _Stored:
    sequence: int
    subject: str
    payload: bytes
    id: str


@dataclass(slots=True)
class _Durable:
    """How far the consumers of one name have come."""

    subject: str
    position: int = 0
    returned: deque[_Stored] = field(default_factory=deque)


class MemoryBus:
    """A bus that keeps at most `capacity` bytes of messages; the oldest go first.

    Nothing survives the process. Unacknowledged messages come back when their consumer is closed;
    the time limit of a server does not apply, because nobody can be lost in between.
    """

    def __init__(self, *, capacity: int = 64 * 1024 * 1024, remembered: int = 65_536) -> None:
        self._capacity = capacity
        self._size = 0
        self._sequence = 0
        self._log: dict[int, _Stored] = {}
        self._ids = Recent(remembered)
        self._durables: dict[str, _Durable] = {}
        self._buckets: dict[str, dict[str, Entry]] = {}
        self._revision = 0
        self._changed = asyncio.Event()
        self._closed = False

    async def publish(self, subject: str, payload: bytes, message_id: str) -> None:
        """Store one message; see `Bus.publish`."""
        check_message(subject, payload, message_id)
        self._ensure_open()
        if message_id in self._ids:
            return
        self._ids.add(message_id)
        self._sequence += 1
        self._log[self._sequence] = _Stored(self._sequence, subject, payload, message_id)
        self._size += len(payload)
        while self._size > self._capacity:
            self._size -= len(self._log.pop(next(iter(self._log))).payload)
        self._wake()

    async def consume(
        self, subject: str, durable: str, *, batch: int = 100
    ) -> AsyncGenerator[Message, None]:
        """Yield messages until closed; see `Bus.consume`."""
        del batch  # nothing is fetched ahead
        check_consumer(subject, durable)
        state = self._durables.setdefault(durable, _Durable(subject))
        if state.subject != subject:
            raise ConfigError(f"consumer {durable} already reads {state.subject}")
        held: dict[int, _Stored] = {}
        try:
            while not self._closed:
                changed = self._changed
                stored = self._next(state)
                if stored is None:
                    await changed.wait()
                    continue
                held[stored.sequence] = stored
                yield _message(stored, held)
        finally:
            state.returned.extendleft(reversed(held.values()))
            self._wake()

    async def put(self, bucket: str, key: str, value: bytes) -> int:
        """Store a value; see `Bus.put`."""
        check_entry(bucket, key, value)
        self._ensure_open()
        self._revision += 1
        entry = Entry(bucket, key, value, self._revision)
        self._buckets.setdefault(bucket, {})[key] = entry
        self._wake()
        return entry.revision

    async def get(self, bucket: str, key: str) -> Entry | None:
        """Return the entry of a key; see `Bus.get`."""
        check_entry(bucket, key)
        self._ensure_open()
        return self._buckets.get(bucket, {}).get(key)

    async def watch(self, bucket: str) -> AsyncGenerator[Entry | None, None]:
        """Yield entries, None, then changes; see `Bus.watch`."""
        check_bucket(bucket)
        seen = 0
        caught_up = False
        while not self._closed:
            changed = self._changed
            present = self._buckets.get(bucket, {}).values()
            fresh = sorted(
                (entry for entry in present if entry.revision > seen),
                key=lambda entry: entry.revision,
            )
            for entry in fresh:
                seen = entry.revision
                yield entry
            if not caught_up:
                caught_up = True
                yield None
            elif not fresh:
                await changed.wait()

    async def close(self) -> None:
        """End every generator."""
        self._closed = True
        self._wake()

    def _ensure_open(self) -> None:
        if self._closed:
            raise ConnectError("the bus is closed")

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _next(self, state: _Durable) -> _Stored | None:
        if state.returned:
            return state.returned.popleft()
        oldest = next(iter(self._log), self._sequence + 1)
        for sequence in range(max(state.position + 1, oldest), self._sequence + 1):
            state.position = sequence
            stored = self._log[sequence]
            if matches(stored.subject, state.subject):
                return stored
        return None


def _message(stored: _Stored, held: dict[int, _Stored]) -> Message:
    async def acknowledge() -> None:
        held.pop(stored.sequence, None)

    return Message(stored.subject, stored.payload, stored.id, acknowledge)
