"""Opens a file for a fenced process where Landlock's subtree rules cannot say what is allowed.

Nothing that the process can change is decided upon: the object is pinned by an O_PATH descriptor,
its real path and identity are checked, and that very object is opened and handed over.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable

from keepwall.enforce.runtime.calls import Open
from keepwall.enforce.runtime.policy import FilePolicy, Use, Verdict
from keepwall.vocabulary.decision import Effect

_STRIPPED = os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL
_OURS = os.O_CLOEXEC | os.O_NOCTTY  # a terminal opened for another must not become our own


class Refused(Exception):  # noqa: N818 - a verdict on its way out of a nested walk, not an error
    """The object that was really reached may not be opened."""

    def __init__(self, verdict: Verdict, path: str) -> None:
        super().__init__(path)
        self.verdict = verdict
        self.path = path


class Broker:
    """Opens under a policy; `own` rewrites an entry of /proc of the subject to /proc/self."""

    def __init__(
        self,
        policy: FilePolicy,
        denied_objects: Iterable[tuple[int, int]],
        own: Callable[[str], str],
    ) -> None:
        self._policy = policy
        self._denied = frozenset(denied_objects)
        self._own = own

    def pin(self, path: str, uses: Iterable[Use]) -> int:
        """Return an O_PATH descriptor of what is at the resolved `path`, if it may be so used.

        Raises:
            Refused: the object, under its real path or another name, is not allowed.
            OSError: what the kernel says of the path.
        """
        pinned = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            self._check(pinned, uses, path)
        except BaseException:
            os.close(pinned)
            raise
        return pinned

    def check(self, descriptor: int, use: Use) -> None:
        """Raise Refused if attributes of the file behind a descriptor may not be so used.

        What has no name (a pipe, a deleted file) is the subject's own; a device is the machine's,
        also where it may be written to, such as /dev/null.
        """
        name = name_of(descriptor)
        if not os.fstat(descriptor).st_nlink or not name.startswith("/"):
            return
        self._check(descriptor, (use,), name)
        if use is Use.WRITE and is_device(descriptor):
            raise Refused(Verdict(Effect.DENY, f"{use}:attributes of a device"), name)

    def reopen(self, pinned: int, wanted: Open) -> int:
        """Return a descriptor as `wanted` of the pinned object; waits for who is at the other end.

        Raises:
            OSError: what the kernel says of the open.
        """
        if wanted.flags & os.O_CREAT and wanted.flags & os.O_EXCL:
            raise FileExistsError(errno.EEXIST, "it is there")
        if stat.S_ISLNK(os.fstat(pinned).st_mode):
            raise OSError(errno.ELOOP, "a link that is not followed")
        return os.open(f"/proc/self/fd/{pinned}", (wanted.flags & ~_STRIPPED) | _OURS)

    def create(self, wanted: Open, path: str, umask: int) -> int:
        """Create the file that is missing, in a directory that is pinned and checked first.

        Raises:
            Refused: it may not be created there.
            FileExistsError: something has come there meanwhile, which was not looked at.
        """
        parent, _, name = path.rpartition("/")
        pinned = os.open(parent or "/", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        before = os.umask(umask)
        try:
            real = name_of(pinned).rstrip("/") + "/" + name
            self._decide(wanted.uses, real)
            flags = wanted.flags | os.O_EXCL | os.O_NOFOLLOW | _OURS
            return os.open(name, flags, wanted.mode & 0o777, dir_fd=pinned)
        finally:
            os.umask(before)
            os.close(pinned)

    def _check(self, pinned: int, uses: Iterable[Use], asked: str) -> None:
        self._decide(uses, self._own(name_of(pinned)))
        found = os.fstat(pinned)
        if (found.st_dev, found.st_ino) in self._denied:
            raise Refused(Verdict(Effect.DENY, "file.deny:another name of it"), asked)

    def _decide(self, uses: Iterable[Use], real: str) -> None:
        for use in uses:
            verdict = self._policy.decide(use, real)
            if not verdict.allowed:
                raise Refused(verdict, real)


def name_of(descriptor: int) -> str:
    """Return the path of what one of our own descriptors shows now."""
    return os.readlink(f"/proc/self/fd/{descriptor}")


def may_wait(pinned: int) -> bool:
    """Return whether opening the object can wait for somebody: a FIFO, a terminal, a device."""
    mode = os.fstat(pinned).st_mode
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def is_device(pinned: int) -> bool:
    """Return whether the object is a device, which is the machine's and not the subject's."""
    mode = os.fstat(pinned).st_mode
    return stat.S_ISCHR(mode) or stat.S_ISBLK(mode)
