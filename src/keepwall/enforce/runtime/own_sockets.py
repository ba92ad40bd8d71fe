"""Knows which sockets that listen on this machine are the run's own, by what the kernel lists.

A name or port that a run once had may be somebody else's by now, so names are not remembered: the
sockets themselves are (by inode), and the kernel says what they listen on.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys

from keepwall.decide.addresses import Address

_LISTENING = b"0A"
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
_MOST_BYTES = 64 << 20


class OwnSockets:
    """The sockets that one run has bound."""

    def __init__(self) -> None:
        self._inodes: set[int] = set()

    def add(self, sock: socket.socket) -> None:
        """Remember a socket that was bound."""
        self._inodes.add(_inode(sock))

    def __contains__(self, sock: socket.socket) -> bool:
        return _inode(sock) in self._inodes

    def listen_on(self, address: Address, port: int) -> bool:
        """Return whether a loopback address and port is served by one of them now."""
        if not address.is_loopback:
            return False
        reached = {address, ipaddress.ip_address("::")}
        reached.add(ipaddress.ip_address("0.0.0.0" if address.version == 4 else "::"))  # noqa: PLR2004, S104 - compared only
        return any(
            local in reached and at == port and inode in self._inodes
            for table in _TABLES
            for local, at, inode in _listening(table)
        )

    def named(self, name: bytes) -> bool:
        """Return whether an abstract Unix name (without its first NUL) is one of them now.

        The kernel prints other NULs as ``@``: a name with either could be taken for another one.
        """
        if b"\0" in name or b"@" in name:
            return False
        for line in _lines("/proc/net/unix"):
            fields = line.split(None, 7)
            if len(fields) == 8 and fields[7] == b"@" + name and int(fields[6]) in self._inodes:  # noqa: PLR2004 - columns
                return True
        return False


def _inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def _lines(table: str) -> list[bytes]:
    try:
        with open(table, "rb") as file:
            return file.read(_MOST_BYTES).split(b"\n")[1:]
    except OSError:
        return []


def _listening(table: str) -> list[tuple[Address, int, int]]:
    """Return (address, port, inode) of each listening socket of a table (proc_net_tcp.rst)."""
    found = []
    for line in _lines(table):
        fields = line.split()
        if len(fields) > 9 and fields[3] == _LISTENING:  # noqa: PLR2004 - columns
            host, _, port = fields[1].decode("ascii").partition(":")
            found.append((_address(host), int(port, 16), int(fields[9])))
    return found


def _address(text: str) -> Address:
    """Return an address that the kernel printed as words in the machine's byte order."""
    words = bytes.fromhex(text)
    if sys.byteorder == "little":
        words = b"".join(words[at : at + 4][::-1] for at in range(0, len(words), 4))
    return ipaddress.ip_address(words)
