"""Lines of cron that start programs of AI: crontab(5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from keepwall.discover.containers import command_fact
from keepwall.discover.host_units import command_line, command_role
from keepwall.discover.host_view import HostView, contents, entries
from keepwall.discover.reading import UnreadableError
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.scan import Observation

_TABLES = ("etc/crontab", "etc/cron.d")
_OF_USERS = "var/spool/cron"
_TABLE_BYTES = 256 << 10
_MOST = 5_000
_SCHEDULE = re.compile(r"\s*(?:@\w+|(?:[\d*,/A-Za-z-]+\s+){4}[\d*,/A-Za-z-]+)\s+(.*)")
_SETTING = re.compile(r"\s*\w+\s*=")
_SEPARATORS = re.compile(r"&&|\|\||[;|&]")


def observe_cron(view: HostView) -> Iterator[Observation]:
    """Yield the lines of cron that start AI."""
    for path, with_user in _tables(view):
        if isinstance(path, Unread):
            yield path
            continue
        try:
            data = contents(path, _TABLE_BYTES)
        except UnreadableError as error:
            yield Unread(view.shown(path), str(error))
            continue
        for number, line in enumerate((data or b"").decode("utf-8", "replace").splitlines(), 1):
            yield from _scheduled(line, Location(view.shown(path), number), view, with_user)


def _tables(view: HostView) -> Iterator[tuple[Path | Unread, bool]]:
    """Yield the tables of cron, and whether their lines name a user."""
    for place in _TABLES:
        path = view.root / place
        if path.is_dir():
            yield from ((Path(each.path), True) for each in entries(path, _MOST)[0])
        else:
            yield path, True
    for place in (_OF_USERS, f"{_OF_USERS}/crontabs"):
        found, why = entries(view.root / place, _MOST)
        if why:
            yield Unread(f"/{place}", f"{why}: what users let cron start is unknown"), False
        yield from ((Path(each.path), False) for each in found if each.name != "crontabs")


def _scheduled(
    line: str,
    place: Location,
    view: HostView,
    with_user: bool,  # noqa: FBT001 - of the table
) -> Iterator[Observation]:
    match = _SCHEDULE.match(line[:4_000])
    if match is None or line.lstrip().startswith("#") or _SETTING.match(line):
        return
    command = match[1].partition(" ")[2] if with_user else match[1]
    for part in _SEPARATORS.split(command)[:50]:
        argv = command_line(part)
        if command_role(argv, view.context.catalogue) is not None:
            yield command_fact(argv, {}, "host", view.host, place)
