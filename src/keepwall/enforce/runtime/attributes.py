"""Changes modes, owners, times and lengths of files for a fenced process.

Landlock says nothing of these (and of truncate(2) only since 6.2), so the kernel is never asked to
proceed: the file is pinned, decided upon and changed by the supervisor. Watching a file for changes
is done the same way.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass

from keepwall.enforce.runtime import kernel
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.policy import Use
from keepwall.enforce.runtime.resolve import AT_FDCWD, signed

_AT_SYMLINK_NOFOLLOW = 0x100
_IN_DONT_FOLLOW = 0x02000000
_LONGS = struct.Struct("@4q")


@dataclass(frozen=True, slots=True)
class Shape:
    """Where things stand among a call's arguments: -1 for what it has not."""

    path: int = 0
    directory: int = -1
    flags: int = -1
    no_follow: int = _AT_SYMLINK_NOFOLLOW
    """The bit of the flags that says not to follow a last link."""
    follow: bool = True
    use: Use = Use.WRITE


SHAPES: Mapping[str, Shape] = {
    "chmod": Shape(),
    "fchmod": Shape(path=-1, directory=0),
    "fchmodat": Shape(1, 0),
    "fchmodat2": Shape(1, 0, 3),
    "chown": Shape(),
    "lchown": Shape(follow=False),
    "fchown": Shape(path=-1, directory=0),
    "fchownat": Shape(1, 0, 4),
    "utime": Shape(),
    "utimes": Shape(),
    "futimesat": Shape(1, 0),
    "utimensat": Shape(1, 0, 3),
    "truncate": Shape(),
    "inotify_add_watch": Shape(1, -1, 2, no_follow=_IN_DONT_FOLLOW, use=Use.READ),
}


@dataclass(frozen=True, slots=True)
class Target:
    """What a call is about: a path from a directory, or (`path` None) a descriptor itself."""

    directory: int
    path: bytes | None
    follow: bool


def target(listener: Listener, call: StoppedCall, name: str) -> Target:
    """Return what a stopped call is about. Raises OSError: its memory cannot be read."""
    shape = SHAPES[name]
    directory = signed(call.arguments[shape.directory]) if shape.directory >= 0 else AT_FDCWD
    flags = call.arguments[shape.flags] if shape.flags >= 0 else 0
    follow = shape.follow and not flags & shape.no_follow
    if shape.path < 0 or (not call.arguments[shape.path] and directory != AT_FDCWD):
        return Target(directory, None, follow=True)
    return Target(directory, listener.string(call, call.arguments[shape.path]), follow)


def change(listener: Listener, call: StoppedCall, name: str, pinned: int) -> int:
    """Do to the pinned object what the call asks, and return what the call returns.

    Raises:
        OSError: what the kernel says of it.
    """
    path = f"/proc/self/fd/{pinned}"
    arguments = call.arguments
    if "chmod" in name:
        os.chmod(path, arguments[2 if "at" in name else 1] & 0o7777)
    elif "chown" in name:
        first = 2 if "at" in name else 1
        os.chown(path, _owner(arguments[first]), _owner(arguments[first + 1]))
    elif name == "truncate":
        os.truncate(path, _long(arguments[1]))
    else:
        _set_times(path, _times(listener, call, name))
    return 0


def _owner(value: int) -> int:
    """Return a user or group number, -1 for one that stays."""
    value &= 0xFFFFFFFF
    return -1 if value == 0xFFFFFFFF else value  # noqa: PLR2004 - (uid_t)-1


def _times(listener: Listener, call: StoppedCall, name: str) -> bytes | None:
    """Return the two `struct timespec` that a call asks for, or None for the present."""
    address = call.arguments[2 if "at" in name else 1]
    if not address:
        return None
    raw = listener.memory(call, address, 16 if name == "utime" else _LONGS.size)
    if name == "utimensat":
        return raw.ljust(_LONGS.size, b"\0")
    if name == "utime":  # seconds only
        accessed, modified = struct.unpack("@2q", raw.ljust(16, b"\0"))
        return _LONGS.pack(accessed, 0, modified, 0)
    seconds, micro, seconds_2, micro_2 = _LONGS.unpack(raw.ljust(_LONGS.size, b"\0"))
    if not (0 <= micro < 1_000_000 and 0 <= micro_2 < 1_000_000):  # noqa: PLR2004 - a microsecond count
        raise OSError(errno.EINVAL, "no time of day")
    return _LONGS.pack(seconds, micro * 1000, seconds_2, micro_2 * 1000)


def _set_times(path: str, times: bytes | None) -> None:
    name = ctypes.create_string_buffer(os.fsencode(path))
    when = ctypes.create_string_buffer(times, len(times)) if times else None
    address = ctypes.addressof(when) if when else None
    kernel.call("utimensat", AT_FDCWD, ctypes.addressof(name), address, 0)


def watch(inotify: int, pinned: int, mask: int) -> int:
    """Add a watch on the pinned object to an inotify instance; return its number."""
    name = ctypes.create_string_buffer(os.fsencode(f"/proc/self/fd/{pinned}"))
    return kernel.call(
        "inotify_add_watch", inotify, ctypes.addressof(name), mask & ~_IN_DONT_FOLLOW & 0xFFFFFFFF
    )


def _long(value: int) -> int:
    """Return a register value as the C long that a length is."""
    return value - (1 << 64) if value >> 63 else value
