"""Connects, binds and listens for a fenced process, on a copy of what it asked for.

The address is copied once and used for both the decision and the call, which the supervisor makes
on a duplicate of the socket (pidfd_getfd(2)): there is no moment in which it could be changed.
"""

from __future__ import annotations

import ctypes
import errno
import ipaddress
import os
import socket
import struct
from dataclasses import dataclass

from keepwall.decide.addresses import Address, normal
from keepwall.enforce.runtime import kernel, processes

_SOCK_TYPE = 0xF
_NETLINK_ROUTE = 0
_MAPPED = bytes(10) + b"\xff\xff"
_TCP = (0, socket.IPPROTO_TCP)
_INET = (socket.AF_INET, socket.AF_INET6)


def may_create(domain: int, kind: int, protocol: int) -> bool:
    """Return whether a socket of this kind can be held to an envelope.

    Unix streams and TCP can: they go where a connect names. Netlink route only tells about
    interfaces (a fence holds no capability to change them). Datagrams name a peer on every send,
    behind a pointer, so they cannot.
    """
    kind &= _SOCK_TYPE
    if domain == socket.AF_UNIX:
        return kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET)
    if domain in _INET:
        return kind == socket.SOCK_STREAM and protocol in _TCP
    return domain == socket.AF_NETLINK and protocol == _NETLINK_ROUTE


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address as copied from the caller: an IP address and port, or a Unix path."""

    raw: bytes
    address: Address | None = None
    port: int = 0
    path: bytes = b""

    @property
    def abstract(self) -> bool:
        """Whether it is a Unix name that is not in the file system."""
        return self.path.startswith(b"\0")

    def __str__(self) -> str:
        if self.address is None:
            return os.fsdecode(self.path).replace("\0", "@")
        host = f"[{self.address}]" if self.address.version == 6 else str(self.address)  # noqa: PLR2004
        return f"{host}:{self.port}"


def parse(raw: bytes) -> Endpoint:
    """Return the endpoint in a `struct sockaddr`.

    Raises:
        OSError: EAFNOSUPPORT for any family that is not decided here, EINVAL for a short one.
    """
    if len(raw) < 2:  # noqa: PLR2004 - size of sa_family_t
        raise OSError(errno.EINVAL, "a short address")
    family = struct.unpack_from("=H", raw)[0]
    if family == socket.AF_INET and len(raw) >= 8:  # noqa: PLR2004 - family, port, address
        address = ipaddress.IPv4Address(raw[4:8])
        return Endpoint(raw, address, struct.unpack_from("!H", raw, 2)[0])
    if family == socket.AF_INET6 and len(raw) >= 24:  # noqa: PLR2004 - RFC 3493 without a scope
        address6 = ipaddress.IPv6Address(raw[8:24])
        return Endpoint(raw, address6, struct.unpack_from("!H", raw, 2)[0])
    if family == socket.AF_UNIX:
        path = raw[2:110]
        return Endpoint(raw, path=path if path[:1] == b"\0" else path.split(b"\0", 1)[0])
    raise OSError(errno.EAFNOSUPPORT, "not an address that can be decided")


def reached(endpoint: Endpoint) -> Address:
    """Return the address that a connect to `endpoint` reaches; only for IP endpoints."""
    if endpoint.address is None:
        raise OSError(errno.EAFNOSUPPORT, "not an IP address")
    return normal(endpoint.address)


def exact(endpoint: Endpoint, address: Address) -> bytes:
    """Return the `struct sockaddr` that reaches the very `address` that was decided upon.

    What 0.0.0.0 reaches depends on where the socket is bound, which is not left to the caller.
    """
    raw = endpoint.raw
    if endpoint.address is None or endpoint.address.version == 4:  # noqa: PLR2004
        return raw[:4] + address.packed + raw[8:]
    mapped = _MAPPED + address.packed if address.version == 4 else address.packed  # noqa: PLR2004
    return raw[:8] + mapped + raw[24:]


def take(process: int, fd: int) -> socket.socket:
    """Return a duplicate of the socket `fd` of `process`.

    Raises:
        OSError: no such descriptor, or the process may not be looked into.
    """
    copy = processes.duplicate(process, fd)
    try:
        return socket.socket(fileno=copy)
    except OSError:
        os.close(copy)
        raise


def holds(sock: socket.socket, endpoint: Endpoint) -> bool:
    """Return whether the socket is one that `may_create` allows, for an address of its family."""
    kind = sock.getsockopt(socket.SOL_SOCKET, socket.SO_TYPE)
    protocol = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PROTOCOL)
    family = socket.AF_UNIX if endpoint.address is None else sock.family
    return family == sock.family and may_create(sock.family, kind, protocol)


def connect(sock: socket.socket, raw: bytes) -> None:
    """Connect to the copied address, waiting exactly as the socket says. Raises OSError."""
    _with_address("connect", sock, raw)


def bind(sock: socket.socket, raw: bytes) -> None:
    """Bind to the copied address. Raises OSError."""
    _with_address("bind", sock, raw)


def unix_address(path: str) -> bytes:
    """Return the `struct sockaddr_un` of a path (at most 107 bytes, which /proc paths are)."""
    return struct.pack("=H", socket.AF_UNIX) + os.fsencode(path) + b"\0"


def _with_address(name: str, sock: socket.socket, raw: bytes) -> None:
    buffer = ctypes.create_string_buffer(raw, len(raw))
    kernel.call(name, sock.fileno(), ctypes.addressof(buffer), len(raw))
