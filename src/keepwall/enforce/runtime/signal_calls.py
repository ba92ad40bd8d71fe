"""Keeps signals inside a run where Landlock does not (before 6.12).

A process is named by a register, which nobody can change after it was looked at, so the kernel may
proceed with what was allowed.
"""

from __future__ import annotations

import errno
import os

from keepwall.enforce.runtime import processes
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.resolve import signed


class SignalCalls:
    """Lets a process of the run signal processes of the run alone."""

    def __init__(self, listener: Listener) -> None:
        self._listener = listener

    def answer(self, call: StoppedCall, name: str) -> None:
        """Answer one call; raises OSError where a process is gone."""
        receiver = signed(call.arguments[0])
        if name == "kill" and receiver == 0:
            receiver = -os.getpgid(processes.group_of(call.thread))
        alone = receiver > 0 or (name == "kill" and receiver < -1)
        # A group is the run's own when its first process is. pidfd_send_signal names nobody.
        if alone and name != "pidfd_send_signal" and processes.belongs(abs(receiver)):
            self._listener.proceed(call)
        else:
            self._listener.refuse(call, errno.EPERM)

    def strayed(self, call: StoppedCall) -> bool:
        """Return False: programs are not this one's concern."""
        del call
        return False

    def close(self) -> None:
        """Do nothing: no call is left waiting."""
