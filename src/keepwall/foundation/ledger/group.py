"""Many threads, one flush: whatever waits while the disk is busy becomes the next batch."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from types import TracebackType
from typing import Self

from keepwall.foundation.ledger.frames import frame
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.vocabulary.errors import ConnectError, KeepwallError

MAX_WAITING = 65_536
"""Records that wait for the disk at a time; who brings more waits himself."""


class GroupCommit:
    """Appends from many threads to one `Ledger`, which it neither opens nor closes.

    No timer: a record waits for the flush under way and for its own, so its delay is at most two
    flushes. From a coroutine: ``await asyncio.wrap_future(group.submit(record))``.
    """

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._waiting: list[tuple[bytes, Future[int]]] = []
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="ledger-commit", daemon=True)
        self._thread.start()

    def submit(self, record: bytes) -> Future[int]:
        """Return a future of the record's index, done when the record is durable.

        The future raises what `Ledger.append` raises.

        Raises:
            ConfigError: the record is too large.
            ConnectError: the group is closed.
        """
        frame(record)  # a record that is too large must not fail the batch of the others
        future: Future[int] = Future()
        future.set_running_or_notify_cancel()
        with self._changed:
            self._changed.wait_for(lambda: self._closed or len(self._waiting) < MAX_WAITING)
            if self._closed:
                raise ConnectError("the ledger takes no more records: it is closing")
            self._waiting.append((record, future))
            self._changed.notify_all()
        return future

    def close(self) -> None:
        """Write what waits, then stop; closing twice does nothing."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._waiting)
                batch, self._waiting = self._waiting, []
                self._changed.notify_all()
            if not batch:
                return
            try:
                indexes = self._ledger.append([record for record, _ in batch])
            except KeepwallError as error:
                for _, future in batch:
                    future.set_exception(error)
            else:
                for (_, future), index in zip(batch, indexes, strict=True):
                    future.set_result(index)
