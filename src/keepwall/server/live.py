"""The live feed: what happens now, to everyone who watches, without ever waiting for a watcher."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Self

from keepwall.vocabulary.errors import ConnectError


@dataclass(frozen=True, slots=True)
class Notice:
    """One published thing; `sequence` is its number in the store, from which a watcher resumes."""

    kind: str
    sequence: int
    data: object


class Subscription(AsyncIterator[Notice]):
    """The notices published since the subscription began, oldest first.

    The iteration ends when the feed closes, when `close` is called, or when the watcher fell so
    far behind that its buffer overflowed; then `dropped` is true and it should subscribe again.
    """

    def __init__(self, feed: LiveFeed, buffer: int) -> None:
        self._feed = feed
        self._queue: asyncio.Queue[Notice | None] = asyncio.Queue(buffer + 1)
        self._buffer = buffer
        self._closed = False
        self.dropped = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Notice:
        if self._closed and self._queue.empty():
            raise StopAsyncIteration
        notice = await self._queue.get()
        if notice is None:
            raise StopAsyncIteration
        return notice

    def offer(self, notice: Notice) -> None:
        """Buffer `notice`; a full buffer drops the watcher together with what it has not read."""
        if self._queue.qsize() >= self._buffer:
            self.dropped = True
            while not self._queue.empty():
                self._queue.get_nowait()
            self.close()
        else:
            self._queue.put_nowait(notice)

    def close(self) -> None:
        """End the iteration after what is buffered; calling it again does nothing."""
        if not self._closed:
            self._closed = True
            self._feed.forget(self)
            self._queue.put_nowait(None)


class LiveFeed:
    """Fan-out inside one process; all of it belongs to one event loop.

    `buffer` is how many notices one watcher may be behind, `watchers` how many there may be.
    """

    def __init__(self, *, buffer: int = 256, watchers: int = 64) -> None:
        self._buffer = buffer
        self._limit = watchers
        self._watchers: set[Subscription] = set()

    @property
    def watchers(self) -> int:
        """How many subscriptions are open."""
        return len(self._watchers)

    def publish(self, kind: str, sequence: int, data: object) -> None:
        """Give `data` to every watcher at once. Call it from the event loop."""
        notice = Notice(kind, sequence, data)
        for watcher in tuple(self._watchers):
            watcher.offer(notice)

    def subscribe(self) -> Subscription:
        """Return a subscription that misses nothing published from now on.

        Raises:
            ConnectError: there are as many watchers as the feed carries.
        """
        if len(self._watchers) >= self._limit:
            raise ConnectError(
                "too many live views are open", hint="close another console tab and try again"
            )
        subscription = Subscription(self, self._buffer)
        self._watchers.add(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Stop publishing to `subscription`."""
        self._watchers.discard(subscription)

    def close(self) -> None:
        """End every subscription, so that a server which shuts down need not wait for watchers."""
        for watcher in tuple(self._watchers):
            watcher.close()
