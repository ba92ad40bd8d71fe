"""Libraries of AI in the Python environments of a host, by the names of their metadata."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from keepwall.discover.host_processes import HostProcesses
from keepwall.discover.reading import os_reason
from keepwall.discover.source import TreeContext, library_asset, uses
from keepwall.formats.manifest import normalise_name
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_PLACES = (
    "usr/lib/python3*/dist-packages",
    "usr/lib/python3*/site-packages",
    "usr/lib64/python3*/site-packages",
    "usr/local/lib/python3*/dist-packages",
    "usr/local/lib/python3*/site-packages",
    "opt/*/lib/python3*/site-packages",
)
_METADATA = re.compile(
    r"([A-Za-z0-9][\w.]{0,100}?)-(\d[\w.!+]{0,60})(?:-py[\d.]+)?\.(?:dist|egg)-info$"
)
_MAXIMUM_PLACES = 100
_MAXIMUM_ENTRIES = 50_000


def observe_packages(
    processes: HostProcesses, root: Path, context: TreeContext
) -> Iterator[Observation]:
    """Yield the AI packages in the system's Python and in the environments of running processes."""
    for place in islice(_places(processes, root), _MAXIMUM_PLACES):
        try:
            with os.scandir(place) as entries:
                names = sorted(each.name for each in islice(entries, _MAXIMUM_ENTRIES))
        except OSError as error:
            yield Unread(str(place), os_reason(error))
            continue
        for name in names:
            yield from _package(name, place, context)


def _places(processes: HostProcesses, root: Path) -> Iterator[Path]:
    """Yield every directory of packages once."""
    found: dict[Path, None] = {}
    for pattern in _PLACES:
        found |= dict.fromkeys(sorted(root.glob(pattern)))
    for process in processes.all:
        for program in (process.argv[0], process.program):
            if program.startswith("/") and "/bin/" in program:
                prefix = root / program.rpartition("/bin/")[0].lstrip("/")
                if prefix not in (root, root / "usr", root / "usr/local"):
                    found |= dict.fromkeys(_glob(prefix))
    yield from found


def _glob(prefix: Path) -> list[Path]:
    try:
        return sorted(prefix.glob("lib/python3*/site-packages"))
    except OSError:
        return []  # the environment of a process that ended, or of another user


def _package(name: str, place: Path, context: TreeContext) -> Iterator[Observation]:
    match = _METADATA.match(name)
    library = context.catalogue.library("pypi", normalise_name(match[1])) if match else None
    if match is None or library is None:
        return
    path = str(place / name)
    found = library_asset(library, (Location(path),), match[2])
    yield found
    yield uses(context.project, found)
    value: dict[str, JsonValue] = {"ecosystem": "pypi", "name": library.name, "version": match[2]}
    yield Fact("package.installed", found.id, value, path)
