"""Users of a host and small files of it, read with bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keepwall.discover.reading import UnreadableError, opened
from keepwall.vocabulary.errors import FormatError

_SMALL = 1 << 20


@dataclass(frozen=True, slots=True)
class HostUsers:
    """User names by id, and the home directories that exist."""

    names: Mapping[int, str]
    homes: tuple[Path, ...]

    def name(self, uid: int) -> str:
        """Return the name of a user, or his number where he has none."""
        return self.names.get(uid, str(uid) if uid >= 0 else "")


def read_users(root: Path) -> HostUsers:
    """Return the users of ``etc/passwd`` and the homes below ``home``."""
    names: dict[int, str] = {}
    homes: dict[Path, None] = {}
    for line in read_small(root / "etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) >= 7 and fields[2].isdecimal():  # noqa: PLR2004 - passwd(5)
            names.setdefault(int(fields[2]), fields[0])
            home = root / fields[5].lstrip("/")
            if fields[5].startswith(("/home/", "/root", "/Users/")):
                homes.setdefault(home)
    try:
        for each in sorted((root / "home").iterdir())[:1_000]:
            homes.setdefault(each)
    except OSError:
        pass  # a host without /home has no homes there
    return HostUsers(names, tuple(homes))


def read_small(path: Path) -> str:
    """Return the start of a text file (1 MiB), or an empty text where it cannot be read."""
    try:
        with opened(str(path)) as file:
            # Files of /proc claim to be empty; they are read until they end.
            return (file.read_at(0, _SMALL) or file.stream(_SMALL)).decode("utf-8", "replace")
    except (UnreadableError, FormatError):
        return ""
