"""Users of a host and small files of it, read with bounds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keepwall.discover.reading import UnreadableError, opened, shown_path
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Unread

_SMALL = 1 << 20
_MOST_HOMES = 1_000
_HOMES = ("/home/", "/root", "/Users/", "/var/lib/", "/srv/", "/opt/", "/data/")
_NAMED = 10


@dataclass(frozen=True, slots=True)
class HostUsers:
    """User and group names by id, the homes that may be entered, and what may not."""

    names: Mapping[int, str]
    groups: Mapping[int, str]
    homes: tuple[Path, ...]
    owners: Mapping[Path, str]
    unread: tuple[Unread, ...] = ()

    def name(self, uid: int) -> str:
        """Return the name of a user, or his number where he has none."""
        return self.names.get(uid, str(uid) if uid >= 0 else "")

    def group(self, gid: int) -> str:
        """Return the name of a group, or its number where it has none."""
        return self.groups.get(gid, str(gid))


def read_users(root: Path) -> HostUsers:
    """Return the users of ``etc/passwd``, and their homes and those below ``home``."""
    names: dict[int, str] = {}
    owners: dict[Path, str] = {}
    for line in read_small(root / "etc/passwd").splitlines():
        fields = line.split(":")
        if len(fields) >= 7 and fields[2].isdecimal() and "\0" not in fields[5]:  # noqa: PLR2004 - passwd(5)
            names.setdefault(int(fields[2][:10]), fields[0][:64])
            if fields[5].startswith(_HOMES) and ".." not in fields[5]:
                owners.setdefault(root / fields[5].strip("/"), fields[0][:64])
    try:
        for each in sorted((root / "home").iterdir())[:_MOST_HOMES]:
            owners.setdefault(each, each.name)
    except OSError:
        pass  # a host without /home has no homes there
    homes, closed = _entered(list(owners)[:_MOST_HOMES])
    unread = [_closed({each: owners[each] for each in closed}, root)] if closed else []
    if len(owners) > _MOST_HOMES:
        unread.append(Unread("/home", f"more than {_MOST_HOMES} homes; the rest is not looked at"))
    return HostUsers(names, _groups(root), tuple(homes), owners, tuple(unread))


def _groups(root: Path) -> dict[int, str]:
    rows = (line.split(":") for line in read_small(root / "etc/group").splitlines())
    return {
        int(row[2][:10]): row[0][:64]
        for row in rows
        if len(row) > 2 and row[2].isdecimal()  # noqa: PLR2004 - group(5)
    }


def _entered(homes: list[Path]) -> tuple[list[Path], list[Path]]:
    """Return the homes that exist and may be entered, each once, and those that may not."""
    found: dict[tuple[int, int], Path] = {}
    closed: list[Path] = []
    for home in homes:
        try:
            status = os.stat(f"{home}/.")  # noqa: PTH116 - a Path drops the dot that asks to enter
        except PermissionError:
            closed.append(home)
        except OSError:
            continue  # a home that does not exist, or a link to nothing
        else:
            found.setdefault((status.st_dev, status.st_ino), home)
    return list(found.values()), closed


def _closed(homes: Mapping[Path, str], root: Path) -> Unread:
    """Return one note on the homes that may not be entered; `homes` are those with their owners."""
    names = sorted(homes.values())
    shown = ", ".join(names[:_NAMED]) + (", …" if len(names) > _NAMED else "")
    unknown = "clients, caches and packages there are unknown"
    if len(homes) == 1:
        path = f"/{next(iter(homes)).relative_to(root)}"
        return Unread(shown_path(path), f"may be entered by {shown} and root only: {unknown}")
    reason = f"{len(names)} homes may be entered by their owners ({shown}) and root only"
    return Unread("/home", shown_path(f"{reason}: {unknown}"))


def read_small(path: Path, limit: int = _SMALL) -> str:
    """Return the start of a text file (`limit` bytes), or an empty text where it is unreadable."""
    try:
        with opened(str(path)) as file:
            # Files of /proc claim to be empty; they are read until they end.
            data = file.read_at(0, limit) or file.stream(limit)
            return data.decode("utf-8", "replace")
    except (UnreadableError, FormatError):
        return ""
