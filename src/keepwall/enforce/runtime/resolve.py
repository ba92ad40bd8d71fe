"""Finds what path a fenced process really means, from its own point of view."""

from __future__ import annotations

import os
import posixpath
from collections.abc import Callable

_MOST_LINKS = 40
AT_FDCWD = -100


def signed(value: int) -> int:
    """Return a register value as the C int that a descriptor argument is."""
    value &= 0xFFFFFFFF
    return value - (1 << 32) if value >> 31 else value


def absolute(thread: int, directory: int, path: bytes) -> str:
    """Return `path` as the thread names it, absolute and without ``.`` and empty parts.

    ``..`` stays, for it can only be taken after links are followed. `directory` is a descriptor
    of the thread or AT_FDCWD.

    Raises:
        OSError: the thread or its descriptor is gone.
    """
    text = os.fsdecode(path)
    if not text.startswith("/"):
        link = "cwd" if directory == AT_FDCWD else f"fd/{directory}"
        start = os.readlink(f"/proc/{thread}/{link}")
        text = f"{start}/{text}" if text else start
    return text


def resolve(path: str, *, process: int, thread: int, follow_last: bool = True) -> str:
    """Return `path` with all links followed as `process` would follow them.

    ``/proc/self`` means the process, not us. What does not exist keeps its name. A magic link to
    something without a path (a pipe, a socket) ends the walk with the link's own path.
    """
    return _Walk(process, thread).resolve(path, follow_last=follow_last)


class _Walk:
    """Follows links component by component; the count of links is bounded as in the kernel."""

    def __init__(self, process: int, thread: int) -> None:
        self._process = process
        self._thread = thread
        self._left = _MOST_LINKS

    def resolve(self, path: str, *, follow_last: bool) -> str:
        done = "/"
        todo = [part for part in reversed(path.split("/")) if part and part != "."]
        while todo:
            part = todo.pop()
            if part == "..":
                done = posixpath.dirname(done)
                continue
            here = self._own(f"{done}/{part}" if done != "/" else f"/{part}")
            if not todo and not follow_last:
                return here
            try:
                target = os.readlink(here)
            except OSError:
                done = here
                continue
            self._left -= 1
            if self._left < 0:
                return here
            if target.startswith("/"):
                done = "/"
            elif _names_nothing(here, target):
                return here
            todo += [each for each in reversed(target.split("/")) if each and each != "."]
        return done

    def _own(self, path: str) -> str:
        """Put the process where ``/proc/self`` would put whoever looks."""
        if path == "/proc/self":
            return f"/proc/{self._process}"
        if path == "/proc/thread-self":
            return f"/proc/{self._process}/task/{self._thread}"
        return path


def _names_nothing(link: str, target: str) -> bool:
    return link.startswith("/proc/") and ":" in target


def is_anonymous(path: str) -> bool:
    """Return whether a resolved path is a magic link to something without a path."""
    try:
        target = os.readlink(path)
    except OSError:
        return False
    return not target.startswith("/") and _names_nothing(path, target)


def in_own_words(path: str, process_of: Callable[[int], bool]) -> str:
    """Return ``/proc/self/…`` for an entry of any process of the subject, else `path` itself."""
    if not path.startswith("/proc/"):
        return path
    number, slash, rest = path[len("/proc/") :].partition("/")
    if number.isdigit() and process_of(int(number)):
        return f"/proc/self{slash}{rest}"
    return path
