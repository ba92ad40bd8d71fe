"""Who would get a connection, asked of the kernel that would decide it."""

from __future__ import annotations

import ipaddress
import os
import socket

import pytest

from keepwall.enforce.runtime.own_sockets import OwnSockets, listener_of

pytestmark = pytest.mark.real


def inode(sock: socket.socket) -> int:
    return os.fstat(sock.fileno()).st_ino


def test_the_listener_is_the_one_that_a_packet_would_reach():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert listener_of(ipaddress.ip_address("127.0.0.1"), port) == inode(server)
        assert listener_of(ipaddress.ip_address("127.0.0.2"), port) == 0
        with socket.create_connection(("127.0.0.1", port)) as client:
            own = client.getsockname()[1]
            assert listener_of(ipaddress.ip_address("127.0.0.1"), own) == 0
    assert listener_of(ipaddress.ip_address("127.0.0.1"), port) == 0


@pytest.mark.parametrize("asked", ["127.0.0.1", "127.9.9.9", "::1"])
def test_a_listener_on_every_address_is_found_under_each(asked: str):
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as server:
        assert listener_of(ipaddress.ip_address(asked), server.getsockname()[1]) == inode(server)


def test_only_what_was_added_is_own():
    own = OwnSockets()
    with (
        socket.create_server(("127.0.0.1", 0)) as mine,
        socket.create_server(("127.0.0.1", 0)) as other,
    ):
        own.add(mine)
        assert mine in own
        assert other not in own
        assert own.has(inode(mine))
        assert not own.has(inode(other))
        assert not own.has(0)


def test_abstract_names_that_the_kernel_prints_alike_are_not_taken_for_each_other():
    own = OwnSockets()
    name = f"kw-own-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as plain, socket.socket(socket.AF_UNIX) as odd:
        plain.bind("\0" + name)
        odd.bind("\0" + name + "\0x")
        own.add(odd)
        assert not own.named(name.encode())
        assert not own.named(name.encode() + b"\0x")
        assert not own.named(name.encode() + b"@x")
        own.add(plain)
        assert own.named(name.encode())
    assert not own.named(name.encode())
