"""Which system calls the supervisor sees, and where their paths stand among the arguments."""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping
from dataclasses import dataclass

from keepwall.enforce.runtime import kernel
from keepwall.enforce.runtime.attributes import SHAPES
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.policy import Use
from keepwall.enforce.runtime.resolve import AT_FDCWD, signed

_FLAGS = 0x7FFFFFFF
_O_PATH = 0o10000000
_O_TMPFILE_BIT = 0o20000000
_AT_SYMLINK_NOFOLLOW = 0x100

SOCKETS = frozenset({"socket", "connect", "bind", "listen"})
OPENS = frozenset({"open", "openat", "openat2", "creat"})
PROGRAMS = frozenset({"execve", "execveat", "memfd_create"})
FORKS = frozenset({"fork", "vfork", "clone"})
SIGNALS = frozenset(
    {"kill", "tkill", "tgkill", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "pidfd_send_signal"}
)


@dataclass(frozen=True, slots=True)
class PathArgument:
    """Where one path stands: the index of its directory descriptor (-1: none) and of itself."""

    directory: int
    path: int


CHANGES: Mapping[str, tuple[PathArgument, ...]] = {
    "unlink": (PathArgument(-1, 0),),
    "unlinkat": (PathArgument(0, 1),),
    "rmdir": (PathArgument(-1, 0),),
    "mkdir": (PathArgument(-1, 0),),
    "mkdirat": (PathArgument(0, 1),),
    "mknod": (PathArgument(-1, 0),),
    "mknodat": (PathArgument(0, 1),),
    "rename": (PathArgument(-1, 0), PathArgument(-1, 1)),
    "renameat": (PathArgument(0, 1), PathArgument(2, 3)),
    "renameat2": (PathArgument(0, 1), PathArgument(2, 3)),
    "link": (PathArgument(-1, 0), PathArgument(-1, 1)),
    "linkat": (PathArgument(0, 1), PathArgument(2, 3)),
    "symlink": (PathArgument(-1, 1),),
    "symlinkat": (PathArgument(1, 2),),
}
"""Calls that change the tree; the last component of their paths is not followed."""


def watched(*, files: bool, network: bool, signals: bool = False) -> frozenset[str]:
    """Return the names of the calls that go to the supervisor."""
    found: frozenset[str] = frozenset()
    if files:
        found |= OPENS | PROGRAMS | frozenset(CHANGES) | frozenset(SHAPES)
    if network:
        found |= SOCKETS
    if found and signals:
        found |= SIGNALS
    return found | FORKS if found else found


@dataclass(frozen=True, slots=True)
class Open:
    """An open as it was asked for."""

    directory: int
    path: bytes
    flags: int
    mode: int
    careful: bool
    """Whether openat2 asked for a restricted walk, which a broker cannot promise to repeat."""
    in_memory: bool = False
    """Whether the flags were read from memory (openat2)."""

    @property
    def evades_landlock(self) -> bool:
        """Whether a kernel before 6.2 may truncate what Landlock lets it only read.

        The flags of openat2 stand in memory and can change, so it is not to be trusted at all.
        """
        truncates = bool(self.flags & os.O_TRUNC) and self.flags & os.O_ACCMODE == os.O_RDONLY
        return truncates or self.in_memory

    @property
    def uses(self) -> tuple[Use, ...]:
        """What the open does with the file; nothing for O_PATH, which opens no content."""
        if self.flags & _O_PATH:
            return ()
        access = self.flags & os.O_ACCMODE
        changes = self.flags & (os.O_CREAT | os.O_TRUNC | _O_TMPFILE_BIT)
        reads = (Use.READ,) if access in (os.O_RDONLY, os.O_RDWR) else ()
        writes = (Use.WRITE,) if access != os.O_RDONLY or changes else ()
        return reads + writes


def parse_open(listener: Listener, call: StoppedCall, name: str) -> Open:
    """Return the open that a stopped call asks for.

    Raises:
        OSError: its memory cannot be read.
    """
    first, second, third, fourth = call.arguments[:4]
    if name == "open":
        return Open(AT_FDCWD, listener.string(call, first), second & _FLAGS, third, careful=False)
    if name == "creat":
        flags = os.O_CREAT | os.O_WRONLY | os.O_TRUNC
        return Open(AT_FDCWD, listener.string(call, first), flags, second, careful=False)
    path = listener.string(call, second)
    if name == "openat2":
        how = listener.memory(call, third, 24).ljust(24, b"\0")
        flags, mode, walk = (int.from_bytes(how[at : at + 8], "little") for at in (0, 8, 16))
        if flags >> 31:
            raise OSError(errno.EINVAL, "flags that no open has")
        return Open(signed(first), path, flags, mode, careful=bool(walk), in_memory=True)
    return Open(signed(first), path, third & _FLAGS, fourth & 0o7777, careful=False)


def program_path(listener: Listener, call: StoppedCall, name: str) -> tuple[int, bytes, bool]:
    """Return (directory descriptor, path, follow the last link) of an execve or execveat."""
    if name == "execve":
        return AT_FDCWD, listener.string(call, call.arguments[0]), True
    flags = call.arguments[4]
    path = listener.string(call, call.arguments[1])
    return signed(call.arguments[0]), path, not flags & _AT_SYMLINK_NOFOLLOW


def by_number() -> Mapping[int, str]:
    """Return the names of all watched calls by their number on this machine."""
    known = kernel.numbers()
    return {
        known[name]: name
        for name in watched(files=True, network=True, signals=True)
        if name in known
    }
