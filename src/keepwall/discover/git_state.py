"""Whether a Git repository holds other objects or stands elsewhere than at an earlier look."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from keepwall.discover.reading import FOLDER
from keepwall.discover.remembered import mark, settled

_MOST_ENTRIES = 200_000
_DEPTH = 8


def history_state(root: Path) -> bytes:
    """Return a state of the repository in `root` for `Remembered`, or nothing where none can be.

    It is made of the names and states of HEAD, of the references and of all in the object store,
    where an object once written is never changed. What changed a moment ago has no state yet.
    """
    digest, count = hashlib.blake2b(digest_size=16), 0
    waiting = [(name, 0) for name in ("HEAD", "packed-refs", "refs", "objects")]
    try:
        top = os.open(root / ".git", FOLDER)
    except OSError:
        return b""
    try:
        while waiting:
            name, depth = waiting.pop()
            try:
                status = os.stat(name, dir_fd=top, follow_symlinks=False)
            except FileNotFoundError:
                continue
            state = mark(status)
            if not settled(state):
                return b""
            digest.update(name.encode("utf-8", "surrogateescape") + b"\0" + state)
            if not stat.S_ISDIR(status.st_mode):
                continue
            count += 1
            if depth > _DEPTH or count > _MOST_ENTRIES:
                return b""
            # Loose objects are told by the state of their folder, which each new one changes.
            inner = os.open(name, FOLDER, dir_fd=top)
            try:
                if not (name.startswith("objects/") and len(name) == len("objects/00")):
                    with os.scandir(inner) as entries:
                        names = sorted(each.name for each in entries)
                    waiting += [(f"{name}/{each}", depth + 1) for each in names]
            finally:
                os.close(inner)
    except OSError:
        return b""
    finally:
        os.close(top)
    return digest.digest()
