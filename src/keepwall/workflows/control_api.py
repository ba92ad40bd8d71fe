"""Orders to the running control plane over its REST API, on this machine only."""

from __future__ import annotations

import http.client
import socket
from http import HTTPStatus
from urllib.parse import quote, urlsplit

import msgspec

from keepwall.vocabulary.errors import ConnectError
from keepwall.vocabulary.incident import Incident
from keepwall.workflows.connection import Connection

_SECONDS = 15.0
_MOST_BYTES = 16 * 1024 * 1024


class UnansweredError(ConnectError):
    """Nobody listens where the control plane should: it died without a last word."""


class _Problem(msgspec.Struct):
    """The part of a problem document (RFC 9457) that a person needs."""

    detail: str = ""
    hint: str = ""


def order(link: Connection, incident: str, verb: str) -> Incident:
    """Give the order `verb` (contain or release) about an incident; return it as it is then.

    Raises:
        UnansweredError: nobody listens there.
        ConnectError: the control plane refused, failed or did not answer in time.
    """
    parts = urlsplit(link.api)
    client = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=_SECONDS)
    try:
        client.connect()
        _require_here(client.sock, link.api)
        client.request(
            "POST",
            f"/api/v1/incidents/{quote(incident, safe='')}/{verb}",
            headers={"Authorization": f"Bearer {link.token}", "Accept": "application/json"},
        )
        answer = client.getresponse()
        status, body = answer.status, answer.read(_MOST_BYTES)
    except ConnectionRefusedError as error:
        raise UnansweredError(f"nobody answers at {link.api}") from error
    except (OSError, http.client.HTTPException) as error:
        raise ConnectError(
            f"the control plane at {link.api} did not answer: {error}",
            hint="see the messages of keepwall up; the order may be given again",
        ) from error
    finally:
        client.close()
    try:
        if status == HTTPStatus.OK:
            return msgspec.json.decode(body, type=Incident)
        problem = msgspec.json.decode(body, type=_Problem)
    except (msgspec.DecodeError, UnicodeError) as error:
        raise ConnectError(
            f"what answers at {link.api} (status {status}) is not the control plane",
            hint="keepwall up writes where it is; start it again",
        ) from error
    raise ConnectError(
        f"the control plane refused: {problem.detail or HTTPStatus(status).phrase}",
        hint=problem.hint,
    )


def _require_here(connected: socket.socket, api: str) -> None:
    """Refuse to show the token, which travels in the clear, to another machine."""
    if connected.getsockname()[0] != connected.getpeername()[0]:
        raise ConnectError(
            f"the token of the API is not sent to {api}: it is not on this machine",
            hint="give the order where the control plane runs, or in its console",
        )
