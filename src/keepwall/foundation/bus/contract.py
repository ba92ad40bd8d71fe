"""What every bus promises, in words and types."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.subjects import BUCKETS

MAX_PAYLOAD = 1_000_000
"""Largest message in bytes; a batch of events stays below it."""
MAX_VALUE = 262_144
"""Largest value of a key in bytes."""
DEDUPLICATION_SECONDS = 120
"""A message id that is published again within this time is stored once."""
ACKNOWLEDGE_SECONDS = 30
"""A message that is not acknowledged within this time is delivered again."""

_SUBJECT = re.compile(r"[A-Za-z0-9_=-]+(\.[A-Za-z0-9_=-]+)*")
_FILTER = re.compile(r"([A-Za-z0-9_=-]+|\*)(\.([A-Za-z0-9_=-]+|\*))*(\.>)?")
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")
_KEY = re.compile(r"[A-Za-z0-9_=-]{1,1024}")
_MESSAGE_ID = re.compile(r"[\x21-\x7e]{1,256}")


@dataclass(frozen=True, slots=True)
class Message:
    """A message in the hands of a consumer; `acknowledge` is what `ack` calls."""

    subject: str
    payload: bytes
    id: str
    acknowledge: Callable[[], Awaitable[None]]

    async def ack(self) -> None:
        """Say that the message is dealt with, so that it is not delivered again."""
        await self.acknowledge()


@dataclass(frozen=True, slots=True)
class Entry:
    """The state of a key: `value` None means deleted; `revision` rises over the whole bucket."""

    bucket: str
    key: str
    value: bytes | None
    revision: int


class Bus(Protocol):
    """Events and documents between the parts of Keepwall.

    The generators hold resources until they are closed: use ``contextlib.aclosing``.
    """

    async def publish(self, subject: str, payload: bytes, message_id: str) -> None:
        """Store one message and return when it is stored.

        The same `message_id` again within `DEDUPLICATION_SECONDS` is stored once. At most a fixed
        number of calls is under way at a time; the others wait.

        Raises:
            FormatError: the payload is over `MAX_PAYLOAD`, or a name is not acceptable.
            ConnectError: the bus did not take the message in time; publish it again later.
        """
        ...

    def consume(
        self, subject: str, durable: str, *, batch: int = 100
    ) -> AsyncGenerator[Message, None]:
        """Yield the messages whose subject matches, oldest first, until closed.

        `subject` may hold ``*`` for one token and end in ``>`` for the rest. The position is kept
        under the name `durable`; consumers with the same name share the messages. A message that
        is not acknowledged is delivered again: when the generator is closed, or after
        `ACKNOWLEDGE_SECONDS`, and then perhaps after younger ones. One that this process
        acknowledged is not delivered to it again.
        """
        ...

    async def put(self, bucket: str, key: str, value: bytes) -> int:
        """Store `value` and return its revision; `key` is one token, see `subjects.kv_key`.

        Raises:
            FormatError: the value is over `MAX_VALUE`, or a name is not acceptable.
            ConnectError: the bus did not take it in time.
        """
        ...

    async def get(self, bucket: str, key: str) -> Entry | None:
        """Return the present entry of `key`, or None.

        Raises:
            ConnectError: the bus did not answer in time.
        """
        ...

    def watch(self, bucket: str) -> AsyncGenerator[Entry | None, None]:
        """Yield the present entries, then one None ("caught up"), then every change, until closed.

        Revisions only rise. Of several changes to one key in quick succession only the last is
        sure to be seen.
        """
        ...

    async def close(self) -> None:
        """End every generator and give the connection back."""
        ...


def check_message(subject: str, payload: bytes, message_id: str) -> None:
    """Raise FormatError when a message cannot be published."""
    if len(payload) > MAX_PAYLOAD:
        raise FormatError(
            f"a message of {len(payload)} bytes is over {MAX_PAYLOAD}", hint="send smaller batches"
        )
    if not _SUBJECT.fullmatch(subject):
        raise FormatError(f"{subject!r} is not a subject")
    if not _MESSAGE_ID.fullmatch(message_id):
        raise FormatError("a message id is 1 to 256 visible ASCII characters")


def check_consumer(subject: str, durable: str) -> None:
    """Raise FormatError when `subject` cannot be consumed under the name `durable`."""
    if subject != ">" and not _FILTER.fullmatch(subject):
        raise FormatError(f"{subject!r} is not a subject filter")
    if not _NAME.fullmatch(durable):
        raise FormatError(f"{durable!r} is not a name for a consumer")


def check_bucket(bucket: str) -> None:
    """Raise FormatError when there is no such bucket."""
    if bucket not in BUCKETS:
        raise FormatError(f"there is no bucket {bucket!r}")


def check_entry(bucket: str, key: str, value: bytes = b"") -> None:
    """Raise FormatError when `value` cannot be stored under `key`."""
    check_bucket(bucket)
    if not _KEY.fullmatch(key):
        raise FormatError(f"{key[:80]!r} is not a key", hint="escape it with subjects.kv_key")
    if len(value) > MAX_VALUE:
        raise FormatError(f"a value of {len(value)} bytes is over {MAX_VALUE}")


def matches(subject: str, pattern: str) -> bool:
    """Return whether `subject` matches a filter with ``*`` and a last ``>``."""
    tokens, wanted = subject.split("."), pattern.split(".")
    if wanted[-1] == ">":
        wanted.pop()
        if len(tokens) <= len(wanted):
            return False
        tokens = tokens[: len(wanted)]
    return len(tokens) == len(wanted) and all(
        want in ("*", token) for token, want in zip(tokens, wanted, strict=True)
    )
