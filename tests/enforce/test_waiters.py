from __future__ import annotations

import threading

import pytest

from keepwall.enforce.runtime import waiting
from keepwall.enforce.runtime.waiting import Waiters


def test_an_idle_thread_is_used_again():
    waiters, seen = Waiters(), []
    for _ in range(50):
        done = threading.Event()

        def task(done: threading.Event = done) -> None:
            seen.append(threading.get_ident())
            done.set()

        waiters.run(task)
        assert done.wait(5)
    assert len(seen) == 50
    assert len(set(seen)) <= 5  # a thread may not be idle again yet when the next task comes


def test_tasks_that_block_do_not_hold_each_other_up():
    waiters, together = Waiters(), threading.Barrier(21)
    for _ in range(20):
        waiters.run(lambda: together.wait(5) and None)
    together.wait(5)


def test_an_error_of_a_task_does_not_end_its_thread():
    waiters, done = Waiters(), threading.Event()

    def fail() -> None:
        raise OSError

    waiters.run(fail)
    waiters.run(done.set)
    assert done.wait(5)


def test_too_many_waiting_tasks_are_refused_and_not_queued(monkeypatch):
    monkeypatch.setattr(waiting, "_MOST", 2)
    waiters, hold = Waiters(), threading.Event()
    for _ in range(2):
        waiters.run(lambda: hold.wait(5) and None)
    late = threading.Event()
    with pytest.raises(OSError, match="too many"):
        waiters.run(late.set)
    hold.set()
    assert not late.wait(0.2)
