"""The supervisor of one run: answers what the kernel could not decide, and sees what it refused.

Two kinds of answers, never mixed. Where Landlock decides, the supervisor only explains and lets
the call proceed: its look at the path can be raced and must not matter. Where the supervisor
decides (opens that Landlock cannot say, sockets), it acts itself on its own copy and hands over
the result, and the call is never let proceed.
"""

from __future__ import annotations

import errno
import os
import select
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from keepwall.enforce.runtime import calls, processes
from keepwall.enforce.runtime.answers import Answers
from keepwall.enforce.runtime.file_calls import FileCalls
from keepwall.enforce.runtime.launch import Started
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.plan import RunPlan
from keepwall.enforce.runtime.report import Reporter
from keepwall.enforce.runtime.signal_calls import SignalCalls
from keepwall.enforce.runtime.socket_calls import SocketCalls

if TYPE_CHECKING:
    from keepwall.enforce.runtime.learn import Used


class Supervisor:
    """Serves the listener of one run until its first process ends."""

    def __init__(
        self,
        child: int,
        listener: Listener | None,
        *,
        files: Answers | None,
        sockets: Answers | None,
        signals: Answers | None = None,
    ) -> None:
        self._listener = listener
        self._child = child
        self._names = calls.by_number()
        self._files = files
        self._sockets = sockets
        self._signals = signals
        self._contained = False

    def contain(self) -> None:
        """Refuse everything from now on and end every process; safe from another thread.

        The caller ends them itself: whoever serves may be held up, for example by a terminal that
        takes no output.
        """
        self._contained = True
        processes.end_all(os.getpid())

    @classmethod
    def of(cls, plan: RunPlan, started: Started, reporter: Reporter) -> Supervisor:
        """Return the supervisor that enforces (or observes, by the envelope's mode) a plan."""
        listener, child = started.listener, started.process
        files = FileCalls(plan, listener, reporter) if listener and plan.files else None
        sockets = SocketCalls(plan, listener, reporter) if listener and plan.network else None
        signals = SignalCalls(listener) if listener else None
        return cls(child, listener, files=files, sockets=sockets, signals=signals)

    @classmethod
    def learning(cls, started: Started) -> tuple[Supervisor, Used]:
        """Return a supervisor that only watches, and what it will have seen."""
        from keepwall.enforce.runtime.learn import Observer, Used  # noqa: PLC0415 - only learning

        used = Used()
        if started.listener is None:
            raise ValueError("nothing can be learned without a listener")
        observer = Observer(started.listener, used)
        return cls(started.process, started.listener, files=observer, sockets=observer), used

    @property
    def contained(self) -> bool:
        """Whether the run was contained."""
        return self._contained

    def serve(self, pulse: Callable[[], None] | None = None) -> int:
        """Answer until the first process has ended; return its wait status.

        Whatever it left behind is ended then. `pulse` is called at least four times a second.
        """
        pidfd = os.pidfd_open(self._child)
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        if self._listener:
            poll.register(self._listener.fd, select.POLLIN)
        try:
            while True:
                for fd, what in poll.poll(250 if pulse else None):
                    if fd == pidfd:
                        return self._ended()
                    if what & select.POLLIN:
                        self._serve_one()
                    else:  # every process under the filter has ended
                        poll.unregister(fd)
                if pulse:
                    pulse()
        finally:
            os.close(pidfd)

    def _ended(self) -> int:
        _, status = os.waitpid(self._child, 0)
        # Nothing is answered from here on, so what is left can neither open, start nor fork.
        if processes.has_children():  # orphans come to us (adopt_orphans), so none is overlooked
            processes.end_all(os.getpid())
            processes.reap_orphans(0)
        for answers in (self._files, self._sockets):
            if answers:
                answers.close()
        if self._listener:
            self._listener.close()
        return status

    def _serve_one(self) -> None:
        listener = self._listener
        if listener is None or (call := listener.receive()) is None:
            return
        try:
            self._dispatch(call, listener)
        except OSError as error:
            # A caller that is gone, or memory that cannot be read: refused, in its own terms.
            listener.refuse(call, error.errno or errno.EACCES)
        except (ValueError, OverflowError):  # numbers and names that no call can have
            listener.refuse(call, errno.EINVAL)

    def _dispatch(self, call: StoppedCall, listener: Listener) -> None:
        if self._contained:
            listener.refuse(call, errno.EPERM)
            return
        name = self._names.get(call.number, "")
        if name in calls.FORKS:  # seen only so that none happens while the run is being ended
            processes.reap_orphans(self._child)
            listener.proceed(call)
            return
        if self._files and self._files.strayed(call):
            os.kill(processes.group_of(call.thread), signal.SIGKILL)
            listener.refuse(call, errno.EPERM)
        elif answers := self._answers(name):
            answers.answer(call, name)
        else:
            listener.refuse(call, errno.ENOSYS)

    def _answers(self, name: str) -> Answers | None:
        if name in calls.SOCKETS:
            return self._sockets
        return self._signals if name in calls.SIGNALS else self._files
