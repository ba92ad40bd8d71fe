"""Listening TCP sockets of a host, from ``/proc/net``: proc_pid_net(5)."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keepwall.discover.host_users import read_small

_LISTEN = "0A"
_FIELDS = 10
_MAXIMUM_LINES = 100_000


@dataclass(frozen=True, slots=True, order=True)
class Listener:
    """A socket that listens: its address, the user who opened it, and its inode."""

    address: str
    port: int
    uid: int
    inode: int

    @property
    def loopback(self) -> bool:
        """Return whether only this host can reach it."""
        found = ipaddress.ip_address(self.address)
        mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
        return (mapped or found).is_loopback


def read_listeners(net: Path) -> list[Listener]:
    """Return the listening sockets in ``tcp`` and ``tcp6`` of a ``/proc/…/net`` directory."""
    return sorted({each for name in ("tcp", "tcp6") for each in _listeners(read_small(net / name))})


def _listeners(text: str) -> Iterator[Listener]:
    for line in text.splitlines()[1:_MAXIMUM_LINES]:
        fields = line.split()
        if len(fields) < _FIELDS or fields[3] != _LISTEN:
            continue
        address, _, port = fields[1].partition(":")
        try:
            yield Listener(_address(address), int(port, 16), int(fields[7]), int(fields[9]))
        except ValueError:
            continue  # a line that the kernel did not write


def _address(text: str) -> str:
    """Return an address from its hexadecimal form: words of four bytes in host (little) order."""
    raw = bytes.fromhex(text)
    words = (raw[index : index + 4][::-1] for index in range(0, len(raw), 4))
    return str(ipaddress.ip_address(b"".join(words)))
