"""Threads that wait in the kernel for the subject, so that the supervisor does not."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Callable
from queue import SimpleQueue
from threading import Semaphore, Thread

_MOST = 256


class Waiters:
    """Runs tasks that may block, each at once; a thread that has become idle is used again.

    A start of a thread costs more than most connects. The threads are daemons: what still blocks
    at the end of the run has no caller any more and ends with the process. Used from one thread.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = Semaphore(0)
        self._threads = 0

    def run(self, task: Callable[[], None]) -> None:
        """Run `task` in a thread of its own; an OSError of it is lost.

        Raises:
            OSError: EAGAIN, too many wait already.
        """
        if not self._idle.acquire(blocking=False):
            if self._threads >= _MOST:
                raise OSError(errno.EAGAIN, "too many calls wait")
            try:
                Thread(target=self._work, name="keepwall-waiter", daemon=True).start()
            except RuntimeError as error:  # the system has no thread left
                raise OSError(errno.EAGAIN, "no thread left") from error
            self._threads += 1
        self._tasks.put(task)

    def _work(self) -> None:
        while True:
            with contextlib.suppress(OSError):  # the run has ended, and its listener is closed
                self._tasks.get()()
            self._idle.release()
