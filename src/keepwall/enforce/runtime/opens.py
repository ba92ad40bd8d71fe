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

_STRIPPED = os.O_NOFOLLOW | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC


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

    def open(self, wanted: Open, path: str) -> int:
        """Return a descriptor for `wanted` at the resolved `path`.

        Raises:
            Refused: the object, under its real path or another name, is not allowed.
            OSError: what the kernel says of the open itself.
        """
        try:
            pinned = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
        except FileNotFoundError:
            if not wanted.flags & os.O_CREAT:
                raise
            return self._create(wanted, path)
        try:
            if wanted.flags & os.O_CREAT and wanted.flags & os.O_EXCL:
                raise FileExistsError(errno.EEXIST, path)
            self._check(pinned, wanted.uses, path)
            if stat.S_ISLNK(os.fstat(pinned).st_mode):
                raise OSError(errno.ELOOP, path)
            return os.open(f"/proc/self/fd/{pinned}", (wanted.flags & ~_STRIPPED) | os.O_CLOEXEC)
        finally:
            os.close(pinned)

    def _check(self, pinned: int, uses: Iterable[Use], asked: str) -> None:
        real = self._own(os.readlink(f"/proc/self/fd/{pinned}"))
        for use in uses:
            verdict = self._policy.decide(use, real)
            if not verdict.allowed:
                raise Refused(verdict, real)
        found = os.fstat(pinned)
        if (found.st_dev, found.st_ino) in self._denied:
            raise Refused(Verdict(Effect.DENY, "file.deny:another name of it"), asked)

    def _create(self, wanted: Open, path: str) -> int:
        """Create a file in a directory that is pinned and checked first."""
        parent, _, name = path.rpartition("/")
        pinned = os.open(parent or "/", os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            real = os.readlink(f"/proc/self/fd/{pinned}").rstrip("/") + "/" + name
            for use in wanted.uses:
                verdict = self._policy.decide(use, real)
                if not verdict.allowed:
                    raise Refused(verdict, real)
            flags = wanted.flags | os.O_NOFOLLOW | os.O_CLOEXEC
            return os.open(name, flags, wanted.mode & 0o777, dir_fd=pinned)
        finally:
            os.close(pinned)
