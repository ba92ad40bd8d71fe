"""One harmless request to a server of this host: bounded in time and size, never elsewhere.

No proxy of the environment is used, no redirect followed, no credential sent. The certificate of a
TLS server is not verified: it is asked only whether it answers, and what it says is not trusted.
"""

from __future__ import annotations

import http.client
import io
import ipaddress
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from keepwall.vocabulary.errors import ConnectError

SECONDS = 2.0
BYTES = 64 << 10
_CHUNK = 16 << 10
_WANTS_TLS = re.compile(
    rb"\A(?:\x15\x03|HTTP/1\.[01] 400 .*?(?:HTTP request (?:was sent )?to an? HTTPS))", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Reply:
    """The start of an answer to a request; `head` is the status line and headers as sent."""

    status: int
    head: str
    body: bytes
    tls: bool = False


class NoReplyError(ConnectError):
    """A server did not answer in time, or not in HTTP; `silent` says which."""

    def __init__(self, message: str, *, silent: bool) -> None:
        super().__init__(message)
        self.silent = silent


Ask = Callable[[str, int, str], Reply]
"""Asks an address and port of this host for a path."""


def ask(address: str, port: int, path: str) -> Reply:
    """Return what a server of this host answers to ``GET path``, within 2 seconds and 64 KiB.

    Raises:
        NoReplyError: nothing listens there, or it does not speak HTTP, or not in time.
    """
    ends = time.monotonic() + SECONDS
    try:
        raw = _exchange(address, port, path, ends, tls=False)
    except ConnectionResetError:
        raw = b""
    except OSError as error:
        raise _refused(error) from error
    if raw and not _WANTS_TLS.match(raw[:2_000]):
        return parse_reply(raw)
    try:
        return parse_reply(_exchange(address, port, path, ends, tls=True), tls=True)
    except OSError as error:
        raise _refused(error) from error


def _refused(error: OSError) -> NoReplyError:
    if isinstance(error, TimeoutError):
        return NoReplyError(f"did not answer within {SECONDS:g} s", silent=True)
    return NoReplyError("does not speak HTTP, or refused the connection", silent=False)


def _exchange(address: str, port: int, path: str, ends: float, *, tls: bool) -> bytes:
    """Return the start of what the server sends.

    Raises:
        OSError: it cannot be reached, or nothing came before `ends`.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as plain:
        plain.settimeout(_left(ends))
        plain.connect((address, port))  # an address, so that no name is ever asked for
        if not tls:
            return _request(plain, address, port, path, ends)
        with _unverified().wrap_socket(plain, do_handshake_on_connect=False) as wrapped:
            wrapped.settimeout(_left(ends))
            wrapped.do_handshake()
            return _request(wrapped, address, port, path, ends)


def _unverified() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _request(link: socket.socket, address: str, port: int, path: str, ends: float) -> bytes:
    host = f"[{address}]" if ipaddress.ip_address(address).version == 6 else address  # noqa: PLR2004 - of IP
    link.sendall(request(path, f"{host}:{port}"))
    return received(link, BYTES, ends)


def request(path: str, host: str) -> bytes:
    """Return a ``GET`` of `path`: RFC 9112."""
    lines = (
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "User-Agent: keepwall-scan",
        "Accept: application/json, text/event-stream, */*",
        "Connection: close",
        "\r\n",
    )
    return "\r\n".join(lines).encode("ascii")


def received(link: socket.socket, limit: int, ends: float) -> bytes:
    """Return up to `limit` bytes, what there is at the time `ends`, or all that is sent.

    Raises:
        OSError: nothing came at all.
    """
    pieces: list[bytes] = []
    total = 0
    try:
        while total < limit:
            link.settimeout(_left(ends))
            piece = link.recv(min(_CHUNK, limit - total))
            if not piece:
                break
            pieces.append(piece)
            total += len(piece)
    except OSError:
        if not pieces:
            raise
    return b"".join(pieces)


def _left(ends: float) -> float:
    left = ends - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _joined(response: http.client.HTTPResponse, limit: int) -> bytes:
    """Return the chunks of a body that came, which may be cut off."""
    body = b""
    try:
        while len(body) < limit and (piece := response.read1(limit)):
            body += piece
    except (http.client.HTTPException, ValueError):
        pass  # the rest was not sent
    return body


class _Sent(io.BytesIO):
    """Bytes that were received, in the form of a socket that `http.client` reads."""

    def makefile(self, _mode: str) -> io.BytesIO:
        """Return the bytes."""
        return self


def parse_reply(raw: bytes, *, tls: bool = False, limit: int = BYTES) -> Reply:
    """Return the reply in `raw`, which may be cut off anywhere.

    Raises:
        NoReplyError: it is not HTTP.
    """
    head, _, _ = raw.partition(b"\r\n\r\n")
    response = http.client.HTTPResponse(_Sent(raw))  # type: ignore[arg-type] # makefile is all it uses
    try:
        response.begin()
        body = _joined(response, limit) if response.chunked else raw[len(head) + 4 :]
    except (http.client.HTTPException, ValueError, OSError) as error:
        raise NoReplyError("does not speak HTTP", silent=False) from error
    finally:
        response.close()
    return Reply(response.status, head.decode("latin-1"), body[:limit], tls)
