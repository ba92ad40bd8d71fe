"""Threads that wait in the kernel for the subject, so that the supervisor does not."""

from __future__ import annotations

from collections.abc import Callable
from queue import SimpleQueue
from threading import Semaphore, Thread


class Waiters:
    """Runs tasks that may block, each at once; a thread that has become idle is used again.

    A start of a thread costs more than most connects. The threads are daemons: what still blocks
    at the end of the run has no caller any more and ends with the process. Used from one thread.
    """

    def __init__(self) -> None:
        self._tasks: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._idle = Semaphore(0)

    def run(self, task: Callable[[], None]) -> None:
        """Run `task`, which raises nothing, in a thread of its own."""
        self._tasks.put(task)
        if not self._idle.acquire(blocking=False):
            Thread(target=self._work, name="keepwall-waiter", daemon=True).start()

    def _work(self) -> None:
        while True:
            self._tasks.get()()
            self._idle.release()
