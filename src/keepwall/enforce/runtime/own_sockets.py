"""Knows which sockets that listen on this machine are the run's own, by what the kernel lists.

A name or port that a run once had may be somebody else's by now, so names are not remembered: the
sockets themselves are (by inode), and the kernel says what they listen on.
"""

from __future__ import annotations

import os
import socket
import struct

from keepwall.decide.addresses import Address

_SOCK_DIAG = 4
_BY_FAMILY, _REQUEST = 20, 1
_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=BBBBI2s2s16s16sIII")
_INODE_AT = _HEADER.size + 4 + 48 + 16
_NO_COOKIE = 0xFFFFFFFF
_ANSWER_BYTES = 8192
_MOST_BYTES = 64 << 20


class OwnSockets:
    """The sockets that one run has bound."""

    def __init__(self) -> None:
        self._inodes: set[int] = set()

    def add(self, sock: socket.socket) -> None:
        """Remember a socket that was bound."""
        self.note(_inode(sock))

    def note(self, inode: int) -> None:
        """Remember a socket that was bound, by its inode."""
        self._inodes.add(inode)

    def __contains__(self, sock: socket.socket) -> bool:
        return _inode(sock) in self._inodes

    def has(self, inode: int) -> bool:
        """Return whether a socket, known by its inode, is one of them."""
        return inode in self._inodes

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


def listener_of(address: Address, port: int) -> int:
    """Return the inode of the socket that would get a TCP connection, or 0 for none.

    The kernel looks it up as it would for a packet (sock_diag(7)); without that facility nobody is
    known to listen.
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6  # noqa: PLR2004
    question = _QUESTION.pack(
        *(family, socket.IPPROTO_TCP, 0, 0, _NO_COOKIE),  # in every state
        *(port.to_bytes(2, "big"), bytes(2), address.packed.ljust(16, b"\0"), bytes(16)),
        *(0, _NO_COOKIE, _NO_COOKIE),
    )
    header = _HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST, 0, 0)
    try:
        with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as kernel:
            kernel.sendto(header + question, (0, 0))
            answer = kernel.recv(_ANSWER_BYTES)
    except OSError:
        return 0
    kind = _HEADER.unpack_from(answer)[1]
    if kind != _BY_FAMILY or len(answer) < _INODE_AT + 4:
        return 0
    return int(struct.unpack_from("=I", answer, _INODE_AT)[0])
