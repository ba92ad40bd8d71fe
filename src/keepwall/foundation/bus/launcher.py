"""Become a NATS server that ends with its parent and owns its directory.

Run as a program: ``python -I -S launcher.py PARENT LOCK BINARY CONFIG``. A program of its own,
because work between fork and exec is not safe in a process that has threads.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1
LOCKED = 75
"""Exit code: another server owns the directory (EX_TEMPFAIL of sysexits)."""
ORPHANED = 76
"""Exit code: the parent was gone before the signal was set."""
LOCK_SECONDS = 3.0


def main() -> int:
    """Take the lock, bind to the parent, and become the server; returns only when it cannot."""
    parent, lock, binary, config = int(sys.argv[1]), *sys.argv[2:5]
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        return ORPHANED
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    # A server whose parent died may still be writing its last state.
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > deadline:
                return LOCKED
            time.sleep(0.05)
    os.set_inheritable(descriptor, True)  # noqa: FBT003 - the only way to call it
    return os.execv(binary, [binary, "--config", config])  # noqa: S606 - a program and its file, no shell


if __name__ == "__main__":
    sys.exit(main())
