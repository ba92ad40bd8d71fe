"""Ask a container runtime over its Unix socket: GET only, bounded in time and size."""

from __future__ import annotations

import re
import socket
import time
from pathlib import Path
from urllib.parse import quote

from keepwall.discover.host_probe import NoReplyError, parse_reply, received, request
from keepwall.formats.safe_json import load_json
from keepwall.vocabulary.errors import ConnectError, FormatError

_BYTES = 8 << 20
_SECONDS = 3.0
_FOUND = 200
_LONGEST = 100  # of the path of a Unix socket: unix(7)
_ID = re.compile(r"[0-9a-f]{12,64}\Z")


def running_containers(path: Path) -> list[str]:
    """Return the ids of the containers that run.

    Raises:
        ConnectError: the runtime may not be asked, or did not answer as it must.
    """
    found = _get(path, "/containers/json?limit=1000")
    rows = found if isinstance(found, list) else []
    ids = [row.get("Id") for row in rows if isinstance(row, dict)]
    return [each for each in ids if isinstance(each, str) and _ID.match(each)]


def container_details(path: Path, identity: str) -> dict[str, object]:
    """Return what the runtime says of one container.

    Raises:
        ConnectError: the runtime may not be asked, or did not answer as it must.
    """
    found = _get(path, f"/containers/{quote(identity, safe='')}/json")
    return found if isinstance(found, dict) else {}


def _get(path: Path, place: str) -> object:
    ends = time.monotonic() + _SECONDS
    if len(str(path)) > _LONGEST:
        raise ConnectError("the path of the socket is too long")
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(_SECONDS)
            link.connect(str(path))
            link.sendall(request(place, "localhost"))
            reply = parse_reply(received(link, _BYTES, ends), limit=_BYTES)
        if reply.status != _FOUND:
            raise ConnectError(f"answered with status {reply.status}")
        return load_json(reply.body)
    except PermissionError as error:
        raise ConnectError("may be asked by root and its group only") from error
    except TimeoutError as error:
        raise ConnectError(f"did not answer within {_SECONDS:g} s") from error
    except (OSError, NoReplyError, FormatError) as error:
        raise ConnectError("did not answer as a container runtime does") from error
