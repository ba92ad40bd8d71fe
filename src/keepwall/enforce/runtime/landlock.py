"""Landlock: file and TCP rules that a process puts on itself and its children, without root.

Source: Documentation/userspace-api/landlock.rst and include/uapi/linux/landlock.h.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
import struct
from enum import IntFlag

from keepwall.enforce.runtime import kernel
from keepwall.vocabulary.errors import ConnectError

_CREATE_VERSION = 1
_RULE_PATH_BENEATH = 1
_PR_SET_NO_NEW_PRIVS = 38


class Access(IntFlag):
    """Rights on files (LANDLOCK_ACCESS_FS_*)."""

    EXECUTE = 1 << 0
    WRITE_FILE = 1 << 1
    READ_FILE = 1 << 2
    READ_DIR = 1 << 3
    REMOVE_DIR = 1 << 4
    REMOVE_FILE = 1 << 5
    MAKE_CHAR = 1 << 6
    MAKE_DIR = 1 << 7
    MAKE_REG = 1 << 8
    MAKE_SOCK = 1 << 9
    MAKE_FIFO = 1 << 10
    MAKE_BLOCK = 1 << 11
    MAKE_SYM = 1 << 12
    REFER = 1 << 13
    TRUNCATE = 1 << 14


READ = Access.READ_FILE | Access.READ_DIR
WRITE = (
    Access.WRITE_FILE
    | Access.REMOVE_DIR
    | Access.REMOVE_FILE
    | Access.MAKE_DIR
    | Access.MAKE_REG
    | Access.MAKE_SOCK
    | Access.MAKE_FIFO
    | Access.MAKE_SYM
    | Access.REFER
    | Access.TRUNCATE
)
ALL = ~Access(0)
_ON_FILE = Access.EXECUTE | Access.WRITE_FILE | Access.READ_FILE | Access.TRUNCATE
TRUNCATE_SINCE = 3
"""The ABI from which Landlock decides about truncating; before, who may read may truncate."""
REFER_SINCE = 2
"""The ABI from which a process under Landlock can be let move files between directories at all."""
_SINCE = {Access.REFER: REFER_SINCE, Access.TRUNCATE: TRUNCATE_SINCE}
TCP_SINCE = 4
"""The ABI from which Landlock decides about binding and connecting TCP."""
SIGNALS_SINCE = 6
"""The ABI from which Landlock keeps signals (and abstract Unix sockets) inside."""
_NET_BIND_CONNECT = 0b11
_SCOPE_ABSTRACT_AND_SIGNAL = 0b11


def abi_version() -> int:
    """Return the Landlock ABI that the running kernel really answers, or 0 where it has none."""
    try:
        return kernel.call("landlock_create_ruleset", None, 0, _CREATE_VERSION)
    except (OSError, ConnectError):
        return 0


class Ruleset:
    """A rule set under construction; `restrict` puts it on the calling thread for good.

    Everything on `files` that the kernel's ABI can handle is denied unless granted. With `network`
    the thread can neither bind nor connect TCP by itself: a broker outside does it (`sockets`).
    Either way nobody inside can look into or trace a process outside, such as the supervisor.
    """

    def __init__(self, abi: int, *, files: bool, network: bool) -> None:
        self.handled = Access(0)
        for right in Access if files else (Access.REFER, Access.MAKE_BLOCK):
            if abi >= _SINCE.get(right, 1):
                self.handled |= right
        net = _NET_BIND_CONNECT if network and abi >= TCP_SINCE else 0
        scoped = _SCOPE_ABSTRACT_AND_SIGNAL if abi >= SIGNALS_SINCE else 0
        fields = struct.pack("=QQQ", self.handled, net, scoped)
        size = 24 if abi >= SIGNALS_SINCE else 16 if abi >= TCP_SINCE else 8
        buffer = ctypes.create_string_buffer(fields, len(fields))
        self._fd = kernel.call("landlock_create_ruleset", ctypes.addressof(buffer), size, 0)

    def grant(self, path: str, access: Access) -> bool:
        """Grant `access` on `path` and, for a directory, on all below it.

        Returns False when nothing is there: a right cannot be bound to what does not exist.
        """
        try:
            target = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EACCES, errno.ELOOP):
                return False
            raise
        try:
            if not _is_directory(target):
                access &= _ON_FILE
            access &= self.handled
            if access:
                # struct landlock_path_beneath_attr is packed: u64 allowed_access, s32 parent_fd
                rule = ctypes.create_string_buffer(struct.pack("=Qi", access, target), 12)
                kernel.call(
                    "landlock_add_rule",
                    self._fd,
                    _RULE_PATH_BENEATH,
                    ctypes.addressof(rule),
                    0,
                )
        finally:
            os.close(target)
        return True

    def restrict(self) -> None:
        """Restrict the calling thread; needs and sets no-new-privileges."""
        kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)
        kernel.call("landlock_restrict_self", self._fd, 0)
        os.close(self._fd)


def _is_directory(fd: int) -> bool:
    return stat.S_ISDIR(os.fstat(fd).st_mode)
