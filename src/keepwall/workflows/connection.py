"""How a process on this machine finds the running control plane: a file in the state directory."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from keepwall.foundation.state import StateDirectory


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the bus is and what to show it; paths of PEM files; `root` is the hex root key.

    `api` is the address of the REST API on this machine and `token` the bearer token for it; both
    are empty until the web server listens. `store` is the URL of the store in use.
    """

    url: str
    certificate: str
    key: str
    ca: str
    node: str
    root: str
    process: int
    api: str = ""
    token: str = ""
    store: str = ""


def read(state: StateDirectory) -> Connection | None:
    """Return the connection of the control plane that runs on `state`, or None."""
    try:
        text = state.connection.read_bytes()
    except OSError:
        return None
    import msgspec  # noqa: PLC0415 - late: without a control plane no start pays for it

    try:
        found = msgspec.json.decode(text, type=Connection)
        os.kill(found.process, 0)
    except (OSError, msgspec.DecodeError):
        return None
    return found


def write(state: StateDirectory, connection: Connection) -> None:
    """Publish the connection to other processes of this user."""
    import msgspec  # noqa: PLC0415 - late, as in `read`

    temporary = Path(f"{state.connection}.new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(msgspec.json.encode(connection))
    temporary.replace(state.connection)
