"""Processes that look at files side by side, so that one hostile file ends no scan.

A worker that dies, hangs or swells over one file is replaced; that file is named as unread and the
others are read. Files are found again from the root by descriptors, without following links.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import signal
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path

from keepwall.discover.context import tree_context
from keepwall.discover.examine import examine
from keepwall.discover.limits import Limits
from keepwall.discover.packed import pack
from keepwall.discover.reading import FOLDER, UnreadableError, open_folder, opened, shown_path
from keepwall.rulebook.interest import Asked
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Unread

BATCH = 32
_SECONDS_PER_FILE = 60.0
_MEMORY = 3 << 30

Job = tuple[int, str]
"""The number of a file and its path below the root."""
Answer = tuple[int, bytes, bool]
"""The number of a file, what was packed of it, and whether that depends on this file alone."""


@dataclass(frozen=True, slots=True)
class Task:
    """What workers look at; `asked` makes the question of what matters in each process anew."""

    root: str
    limits: Limits
    asked: Callable[[], Asked] | None = None


@dataclass(slots=True)
class _Worker:
    process: multiprocessing.process.BaseProcess
    pipe: Connection
    waiting: deque[Job] = field(default_factory=deque)
    since: float = 0.0


class Workers:
    """Up to `count` processes; started when there is work, ended by `close`."""

    def __init__(
        self, task: Task, count: int, *, seconds_per_file: float = _SECONDS_PER_FILE
    ) -> None:
        self._task = task
        self._count = max(count, 1)  # without any, what feeds them reads all itself
        self._seconds = seconds_per_file
        self._workers: list[_Worker] = []
        self._spawn = multiprocessing.get_context("spawn")  # threads may run here: never fork

    def answer(self, batches: Iterator[list[Job]]) -> Iterator[Answer]:
        """Yield the answer to each job of `batches`, in the order in which they come.

        A batch is taken only when a worker is free, so what feeds it is never far ahead.
        """
        todo: deque[list[Job]] = deque()
        more = True
        while True:
            while more and len([each for each in self._workers if each.waiting]) < self._count:
                batch = todo.popleft() if todo else next(batches, None)
                if batch is None:
                    more = False
                else:
                    self._give(batch)
            busy = [each for each in self._workers if each.waiting]
            if not busy and not todo:
                return
            wait([each.pipe for each in busy], timeout=1.0)
            for each in busy:
                yield from self._collect(each, todo)
            more = more or bool(todo)

    def close(self) -> None:
        """End all workers."""
        for each in self._workers:
            each.pipe.close()
            each.process.kill()
            each.process.join()
        self._workers.clear()

    def _give(self, batch: list[Job]) -> None:
        free = next((each for each in self._workers if not each.waiting), None)
        if free is None:
            ours, theirs = self._spawn.Pipe()
            process = self._spawn.Process(target=_work, args=(theirs, self._task), daemon=True)
            process.start()
            theirs.close()
            free = _Worker(process, ours)
            self._workers.append(free)
        free.waiting.extend(batch)
        free.since = time.monotonic()
        with contextlib.suppress(OSError):  # it has died: `_collect` sees that
            free.pipe.send(batch)

    def _collect(self, worker: _Worker, todo: deque[list[Job]]) -> Iterator[Answer]:
        """Yield what `worker` has answered; where it died or hangs, name the file that did it."""
        reason = ""
        try:
            while worker.waiting and worker.pipe.poll():
                number, data, whole = worker.pipe.recv()
                worker.waiting.popleft()
                worker.since = time.monotonic()
                yield number, data, whole
        except (EOFError, OSError):
            reason = "ended the process that read it"
        if not reason and worker.waiting and time.monotonic() - worker.since > self._seconds:
            reason = f"not read within {self._seconds:g} s"
        if reason:
            number, path = worker.waiting.popleft()
            if worker.waiting:
                todo.append(list(worker.waiting))
            worker.process.kill()
            worker.process.join()
            worker.pipe.close()
            self._workers.remove(worker)
            yield number, pack([Unread(shown_path(path), reason)]), False


def _work(pipe: Connection, task: Task) -> None:
    """Answer batches until the other end closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal's Ctrl-C is the parent's to act on
    with contextlib.suppress(ValueError, OSError):  # a lower limit is already set
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    asked = task.asked() if task.asked else None
    context = tree_context(Path(task.root), task.limits, asked)
    finder = _Finder(task.root)
    with contextlib.suppress(EOFError, OSError):
        while True:
            for number, path in pipe.recv():
                shown = shown_path(path)
                try:
                    with opened(path.rpartition("/")[2], finder.directory(path)) as file:
                        before = context.near.asked
                        data = pack(examine(shown, file, context))
                    answer = number, data, context.near.asked == before
                except (UnreadableError, FormatError, MemoryError) as error:
                    reason = str(error) or "takes more memory than a scan may"
                    answer = number, pack([Unread(shown, reason)]), False
                pipe.send(answer)


class _Finder:
    """Opens directories below a root without following links; keeps the last one open."""

    def __init__(self, root: str) -> None:
        self._root = os.open(root, FOLDER & ~os.O_NOFOLLOW)
        self._name, self._descriptor = "", self._root

    def directory(self, path: str) -> int:
        """Return a descriptor of the directory that holds `path`.

        Raises:
            UnreadableError: it is gone, or no directory any more.
        """
        name = path.rpartition("/")[0]
        if name == self._name:
            return self._descriptor
        descriptor = open_folder(self._root, name)
        if self._descriptor != self._root:
            os.close(self._descriptor)
        self._name, self._descriptor = name, descriptor
        return descriptor
