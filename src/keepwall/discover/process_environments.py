"""Credentials in the environments of running processes: names and kinds only, never values.

Source: proc(5), ``/proc/PID/environ``: the environment that a process was started with.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path

from keepwall.content.secrets import SecretMatch, find_secrets_in_bytes
from keepwall.discover.host_processes import HostProcesses, Process
from keepwall.discover.reading import UnreadableError, opened, shown_path
from keepwall.discover.secret_facts import observe_secret
from keepwall.vocabulary.asset import Asset, AssetKind, Location
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.scan import Observation

_ENVIRONMENT_BYTES = 2 << 20
_VARIABLES = 10_000
_NAME_CHARACTERS = 100


def observe_environments(
    processes: HostProcesses, proc: Path, host: Asset
) -> Iterator[Observation]:
    """Yield the credentials that processes were given, once for each program and variable.

    The asset and the fact show the name of the variable where others show the masked value.
    Environments that this user may not read are counted and named.
    """
    seen: set[tuple[str, str, str]] = set()
    hidden: list[Process] = []
    for process in processes.all:
        place = proc / str(process.pid) / "environ"
        try:
            with opened(str(place)) as file:
                data = file.stream(_ENVIRONMENT_BYTES)
        except (UnreadableError, FormatError):
            if process.visible and not (proc / str(process.pid)).exists():
                continue  # it ended
            hidden.append(process)
            continue
        if len(data) >= _ENVIRONMENT_BYTES:
            yield Unread(str(place), f"more than {_ENVIRONMENT_BYTES} bytes; the rest is not read")
        for name, match in _credentials(data):
            key = (_program(process), name, match.digest)
            if key not in seen:
                seen.add(key)
                yield from _observe(process, name, match, place, host)
    if hidden:
        names = sorted({_program(each) for each in hidden})
        shown = ", ".join(names[:10]) + (", …" if len(names) > 10 else "")  # noqa: PLR2004 - what a line holds
        yield Unread(
            str(proc / "*/environ"),
            f"the environments of {len(hidden)} processes may be read by their users and root "
            f"only: {shown}",
        )


def _credentials(data: bytes) -> Iterator[tuple[str, SecretMatch]]:
    """Yield the variables that hold a credential, with the match."""
    for entry in data.split(b"\0", _VARIABLES)[:_VARIABLES]:
        name, equals, value = entry.partition(b"=")
        if not equals or not value:
            continue
        # As an assignment of a literal, so that the name counts as it does in a file.
        for match in find_secrets_in_bytes(b'%b="%b"' % (name, value)):
            yield shown_path(name.decode("utf-8", "surrogateescape"))[:_NAME_CHARACTERS], match


def _program(process: Process) -> str:
    return shown_path(posixpath.basename(process.program or process.argv[0]))


def _observe(
    process: Process, name: str, match: SecretMatch, place: Path, host: Asset
) -> Iterator[Observation]:
    program = process.program or process.argv[0]
    holder = Asset(
        AssetKind.PROCESS,
        f"{host.key}/{shown_path(program)}",
        _program(process),
        host.surface,
        (Location(str(place.parent)),),
        host.owner,
    )
    yield holder
    yield from observe_secret(match, "process", str(place), holder, 0, shown=f"in ${name}")
