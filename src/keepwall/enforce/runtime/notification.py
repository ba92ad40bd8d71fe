"""The listener of a seccomp filter: receive a stopped system call, look at it, answer it.

Source: seccomp_unotify(2), include/uapi/linux/seccomp.h.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import struct
from dataclasses import dataclass

from keepwall.enforce.runtime import kernel

_RECEIVE = 0xC0502100
_SEND = 0xC0182101
_ID_VALID = 0x40082102
_ADD_FD = 0x40182103
_SET_FLAGS = 0x40082104
_SYNC_WAKE_UP = 1
_CONTINUE = 1
_ADD_FD_SEND = 1 << 1
_NOTIFICATION = struct.Struct("=QIIiIQ6Q")
_RESPONSE = struct.Struct("=QqiI")
_ZERO = bytes(_NOTIFICATION.size)
_PAGE = 4096
_LONGEST_PATH = 4096
_SHORT = 256
"""Bytes that are read of a path at first: nearly all end there, and caches are the caller's."""
_SPAN = struct.Struct("@PN")  # struct iovec


@dataclass(frozen=True, slots=True)
class StoppedCall:
    """A system call of a fenced thread, stopped in the kernel until it is answered."""

    id: int
    thread: int
    number: int
    arguments: tuple[int, int, int, int, int, int]


class Listener:
    """One listener descriptor. Not for use by several threads at once, but for `answer`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self._buffer = bytearray(_NOTIFICATION.size)
        self._page = ctypes.create_string_buffer(_PAGE)
        self._ours = ctypes.create_string_buffer(_SPAN.size)
        self._theirs = ctypes.create_string_buffer(_SPAN.size)
        with contextlib.suppress(OSError):  # since 6.6: hand over on the same core, no wake-up trip
            fcntl.ioctl(fd, _SET_FLAGS, _SYNC_WAKE_UP)

    def receive(self) -> StoppedCall | None:
        """Return the next stopped call, or None when its thread has died meanwhile."""
        self._buffer[:] = _ZERO
        try:
            fcntl.ioctl(self.fd, _RECEIVE, self._buffer)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR):
                return None
            raise
        fields = _NOTIFICATION.unpack(self._buffer)
        return StoppedCall(fields[0], fields[1], fields[3], fields[6:])

    def proceed(self, call: StoppedCall) -> None:
        """Let the kernel carry the call out, under whatever else restricts the process.

        Never an answer to a question of permission: the arguments may change after they were
        read. It is right only where the kernel itself (Landlock) decides.
        """
        self._send(call, 0, 0, _CONTINUE)

    def refuse(self, call: StoppedCall, code: int) -> None:
        """Make the call fail with errno `code`."""
        self._send(call, 0, -code, 0)

    def succeed(self, call: StoppedCall, value: int = 0) -> None:
        """Make the call return `value` without carrying it out: the supervisor already did."""
        self._send(call, value, 0, 0)

    def give(self, call: StoppedCall, fd: int, *, close_on_exec: bool) -> None:
        """Make the call return a duplicate of the supervisor's descriptor `fd`."""
        flags = os.O_CLOEXEC if close_on_exec else 0
        request = struct.pack("=QIIII", call.id, _ADD_FD_SEND, fd, 0, flags)
        with contextlib.suppress(FileNotFoundError, InterruptedError):  # the thread has died
            fcntl.ioctl(self.fd, _ADD_FD, request)

    def _send(self, call: StoppedCall, value: int, error: int, flags: int) -> None:
        try:
            fcntl.ioctl(self.fd, _SEND, _RESPONSE.pack(call.id, value, error, flags))
        except OSError as problem:
            # The thread has died, or the call is answered already and failed only afterwards.
            if problem.errno not in (errno.ENOENT, errno.EINPROGRESS):
                raise

    def valid(self, call: StoppedCall) -> bool:
        """Return whether the thread still waits in this very call, so its PID was not reused."""
        try:
            fcntl.ioctl(self.fd, _ID_VALID, struct.pack("=Q", call.id))
        except OSError:
            return False
        return True

    def string(self, call: StoppedCall, address: int) -> bytes:
        """Return the NUL-terminated string at `address` of the caller, at most 4096 bytes.

        Raises:
            OSError: EFAULT for a bad address, ENAMETOOLONG for a string without an end.
        """
        taken = bytearray()
        while len(taken) < _LONGEST_PATH:
            step = min(_PAGE - (address + len(taken)) % _PAGE, _PAGE if taken else _SHORT)
            piece = self.memory(call, address + len(taken), step)
            end = piece.find(0)
            if end >= 0:
                taken += piece[:end]
                return bytes(taken)
            taken += piece
        raise OSError(errno.ENAMETOOLONG, "a path without an end")

    def memory(self, call: StoppedCall, address: int, length: int) -> bytes:
        """Return `length` bytes (a page at most) of the caller's memory, or what is mapped of it.

        Read by number on every call, never through a descriptor that is kept: exec and vfork give
        a thread other memory under the same number.

        Raises:
            OSError: EFAULT where nothing is mapped, ESRCH when the caller is gone.
        """
        if address == 0 or address >= 1 << 63:
            raise OSError(errno.EFAULT, "a bad address")
        length = min(length, _PAGE)
        _SPAN.pack_into(self._ours, 0, ctypes.addressof(self._page), length)
        _SPAN.pack_into(self._theirs, 0, address, length)
        spans = (ctypes.addressof(self._ours), 1, ctypes.addressof(self._theirs), 1, 0)
        taken = kernel.call("process_vm_readv", call.thread, *spans)
        if not self.valid(call):
            raise OSError(errno.ESRCH, "the caller is gone")
        if not taken:
            raise OSError(errno.EFAULT, "nothing there")
        return ctypes.string_at(self._page, taken)

    def close(self) -> None:
        """Close the descriptor; calls that still wait fail with ENOSYS: closed, not open."""
        with contextlib.suppress(OSError):
            os.close(self.fd)
