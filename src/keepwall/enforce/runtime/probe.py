"""Finds out what this kernel really offers, by asking it rather than by its version."""

from __future__ import annotations

import ctypes
import os

from keepwall.enforce.runtime import kernel, landlock, processes, seccomp
from keepwall.enforce.runtime.plan import HostSupport
from keepwall.vocabulary.errors import ConnectError

_GET_NOTIFICATION_SIZES = 3
_PR_SET_NO_NEW_PRIVS = 38


def support() -> HostSupport:
    """Return what an unprivileged process can have here; changes nothing in this process."""
    return HostSupport(landlock=landlock.abi_version(), notify=_can_notify())


def _can_notify() -> bool:
    """Return whether a listener can be had: one per chain of filters, so nested runs cannot."""
    sizes = ctypes.create_string_buffer(6)
    try:
        kernel.call("seccomp", _GET_NOTIFICATION_SIZES, 0, ctypes.addressof(sizes))
    except (OSError, ConnectError):
        return False
    if processes.status(os.getpid()).get("Seccomp_filters", "0") == "0":
        return True
    return _try_in_child()


def _try_in_child() -> bool:
    child = os.fork()
    if child == 0:
        try:
            kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)
            seccomp.install(seccomp.build(frozenset({"socket"}), network=False), listener=True)
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
