"""Tricks to reach an address, or to listen, where the envelope does not allow it."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fenced import World

pytestmark = pytest.mark.real


@dataclass(slots=True)
class Door:
    """A listener that counts who comes and what they send."""

    family: int
    address: object
    came: int = 0
    heard: bytes = b""
    _socket: socket.socket = field(default_factory=socket.socket)

    def __post_init__(self) -> None:
        self._socket.close()
        self._socket = socket.socket(self.family, socket.SOCK_STREAM)
        self._socket.bind(self.address)
        self._socket.listen(4096)
        self.address = self._socket.getsockname()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        assert isinstance(self.address, tuple)
        return int(self.address[1])

    def _serve(self) -> None:
        while True:
            try:
                peer, _ = self._socket.accept()
            except OSError:
                return
            self.came += 1
            with peer, contextlib.suppress(OSError):  # it may have left at once
                peer.sendall(b"welcome")

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture
def doors() -> Iterator[tuple[Door, Door]]:
    allowed, forbidden = (Door(socket.AF_INET, ("127.0.0.1", 0)) for _ in range(2))
    yield allowed, forbidden
    allowed.close()
    forbidden.close()


def ports(allowed: Door, forbidden: Door) -> str:
    return f"GOOD, BAD = {allowed.port}, {forbidden.port}\n"


def egress(door: Door) -> list[tuple[str, list[int]]]:
    return [("127.0.0.1", [door.port])]


REACH = {
    "connect": "s = socket.create_connection(('127.0.0.1', port)); return s.recv(9)",
    "not blocking": """
        s = socket.socket(); s.setblocking(False)
        code = s.connect_ex(('127.0.0.1', port))
        if code not in (0, errno.EINPROGRESS): raise OSError(code, '')
        import select; select.select([s], [], [], 5); s.setblocking(True); return s.recv(9)""",
    "0.0.0.0": "s = socket.create_connection(('0.0.0.0', port)); return s.recv(9)",
    "mapped into IPv6": """
        s = socket.socket(socket.AF_INET6); s.connect(('::ffff:127.0.0.1', port)); return s.recv(9)""",
    "mapped into IPv6, unspecified": """
        s = socket.socket(socket.AF_INET6); s.connect(('::ffff:0.0.0.0', port)); return s.recv(9)""",
    "another loopback name of it": "s = socket.create_connection(('127.0.0.1', port)); return s.recv(9)",
    "after another connect was undone": """
        s = socket.create_connection(('127.0.0.1', GOOD)); s.recv(9)
        call('connect', s.fileno(), bytes(16), 16); time.sleep(0.1)
        s.connect(('127.0.0.1', port)); return s.recv(9)""",
    "by a duplicate": """
        s = socket.socket(); t = socket.socket(fileno=os.dup(s.fileno()))
        t.connect(('127.0.0.1', port)); return s.recv(9)""",
    "a socket passed between processes": """
        left, right = socket.socketpair()
        if os.fork() == 0:
            s = socket.socket(); socket.send_fds(left, [b'x'], [s.fileno()]); os._exit(0)
        s = socket.socket(fileno=socket.recv_fds(right, 1, 1)[1][0])
        s.connect(('127.0.0.1', port)); return s.recv(9)""",
    "by a thread": """
        out = []
        def go():
            try: out.append(socket.create_connection(('127.0.0.1', port)).recv(9))
            except OSError as error: out.append(error)
        t = threading.Thread(target=go); t.start(); t.join()
        if isinstance(out[0], OSError): raise out[0]
        return out[0]""",
    "asyncio": """
        import asyncio
        async def go():
            reader, writer = await asyncio.open_connection('127.0.0.1', port)
            return await reader.read(9)
        return asyncio.run(go())""",
}
NEVER = {
    "fast open": """
        s = socket.socket(); s.sendto(b'x', 0x20000000, ('127.0.0.1', BAD))""",
    "fast open by sendmsg": """
        s = socket.socket(); s.sendmsg([b'x'], [], 0x20000000, ('127.0.0.1', BAD))""",
    "UDP": "socket.socket(type=socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', BAD))",
    "raw": "socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)",
    "packets": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)",
    "vsock": "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
    "kernel crypto": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "multipath TCP": "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)",
    "SCTP": "socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132)",
    "netlink firewall": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 12)",
    "netlink audit": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)",
    "a route of its own": """
        s = socket.socket()
        s.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([131, 7, 4, 127, 0, 0, 1, 0]))""",
    "a route of its own in IPv6": """
        s = socket.socket(socket.AF_INET6)
        s.setsockopt(socket.IPPROTO_IPV6, 57, bytes(24))""",
    "Unix datagrams": "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)",
    "a pair that can send anywhere": """
        a, b = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM); a.sendto(b'x', '/dev/log')""",
    "io_uring": "return call('io_uring_setup', 8, bytes(120))",
}


def program(trick: str) -> str:
    lines = [line.removeprefix("        ") for line in trick.strip("\n").splitlines()]
    return "def trick(port):\n" + "\n".join(f"    {line}" for line in lines) + "\n"


@pytest.mark.parametrize("name", REACH)
def test_only_the_allowed_door_opens(world: World, doors: tuple[Door, Door], name: str):
    allowed, forbidden = doors
    code = ports(*doors) + program(REACH[name])
    code += "print(refused(trick, GOOD)); print(refused(trick, BAD))"
    result = world.python(code, egress=egress(allowed))
    assert "done: b'welcome'" in result.out, result.text
    assert "refused: E" in result.out, result.text
    assert forbidden.came == 0
    assert f"127.0.0.1:{forbidden.port}" in result.targets()


@pytest.mark.parametrize("name", NEVER)
def test_a_way_that_no_envelope_can_hold(world: World, doors: tuple[Door, Door], name: str):
    code = ports(*doors) + program(NEVER[name]) + "print(refused(trick, BAD))"
    result = world.python(code, egress=egress(doors[0]))
    assert "refused: E" in result.out, result.text
    assert doors[1].came == 0


def test_an_address_flipped_by_another_thread_never_arrives(world: World, doors: tuple[Door, Door]):
    allowed, forbidden = doors
    code = (
        ports(*doors)
        + """
def name(port): return struct.pack('=H', 2) + struct.pack('!H4s', port, bytes([127, 0, 0, 1])) + bytes(8)
good, bad = name(GOOD), name(BAD)
page = flipping(good, bad)
done = wrong = 0
for _ in rounds(20000):
    s = socket.socket()
    try:
        call('connect', s.fileno(), page, 16)
        done += 1
        wrong += s.getpeername()[1] == BAD
    except OSError: pass
    s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    s.close()
print('connected', done, 'wrong', wrong)
"""
    )
    result = world.python(code, egress=egress(allowed), timeout=110)
    assert "wrong 0" in result.out, result.text
    assert int(result.out.split()[1]) > 20
    assert forbidden.came == 0


def test_a_descriptor_swapped_by_another_thread_is_the_socket_that_was_looked_at(
    world: World, doors: tuple[Door, Door]
):
    """dup2 between a TCP socket and Unix sockets while connects are under way."""
    code = (
        ports(*doors)
        + """
tcp, unix = socket.socket(), socket.socket(socket.AF_UNIX)
slot = os.dup(tcp.fileno())
stop = False
def swap():
    while not stop:
        os.dup2(tcp.fileno(), slot); os.dup2(unix.fileno(), slot)
threading.Thread(target=swap, daemon=True).start()
bad = struct.pack('=H', 2) + struct.pack('!H4s', BAD, bytes([127, 0, 0, 1])) + bytes(8)
for _ in rounds(4000):
    for address in (bad, struct.pack('=H', 1) + b'\\0nothing'):
        try: call('connect', slot, address, len(address))
        except OSError: pass
        try: call('bind', slot, address, len(address))
        except OSError: pass
        try: call('listen', slot, 1)
        except OSError: pass
stop = True
print('tcp', tcp.getsockname())
"""
    )
    result = world.python(code, egress=egress(doors[0]), timeout=110)
    assert "tcp ('0.0.0.0', 0)" in result.out, result.text
    assert doors[1].came == 0


def test_0_0_0_0_reaches_what_was_decided_and_not_where_the_socket_is_bound(world: World):
    other = Door(socket.AF_INET, ("127.0.0.9", 0))
    try:
        result = world.python(
            f"""
s = socket.socket(); s.bind(('127.0.0.9', 0))
print(refused(lambda: (s.connect(('0.0.0.0', {other.port})), s.recv(9))))
""",
            egress=[("127.0.0.1", [other.port])],
            listen=[("127.0.0.9", [])],
        )
        assert "refused: E" in result.out, result.text
        assert other.came == 0
    finally:
        other.close()


LISTEN = {
    "not bound": "s = socket.socket(); s.listen(); return s.getsockname()",
    "every address": "s = socket.socket(); s.bind(('0.0.0.0', 0)); s.listen(); return s.getsockname()",
    "every address of IPv6": """
        s = socket.socket(socket.AF_INET6); s.bind(('::', 0)); s.listen(); return s.getsockname()""",
    "another port": "s = socket.socket(); s.bind(('127.0.0.1', 4)); return s.getsockname()",
    "after a connect was undone": """
        s = socket.create_connection(('127.0.0.1', GOOD))
        call('connect', s.fileno(), bytes(16), 16)
        s.listen(); return s.getsockname()""",
    "of an unknown family": """
        s = socket.socket(); call('bind', s.fileno(), bytes(16), 16); s.listen()""",
}


@pytest.mark.parametrize("name", LISTEN)
def test_nobody_listens_elsewhere(world: World, doors: tuple[Door, Door], name: str):
    code = ports(*doors) + program(LISTEN[name]) + "print(refused(trick, 0))"
    listen = [("127.0.0.1", [0])]
    result = world.python(code, egress=egress(doors[0]), listen=listen)
    assert "refused: E" in result.out, result.text


def test_parts_of_a_run_talk_to_each_other(world: World):
    code = """
import multiprocessing.connection as mc
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname()); peer, _ = server.accept()
peer.sendall(b'tcp ok'); print(client.recv(9))
listener = mc.Listener(WORK + '/listener', 'AF_UNIX'); print(listener.address == WORK + '/listener')
other = mc.Client(listener.address); listener.accept().send('unix ok'); print(other.recv())
abstract = socket.socket(socket.AF_UNIX); abstract.bind('\\0kw-test-%d' % os.getpid()); abstract.listen()
socket.socket(socket.AF_UNIX).connect(abstract.getsockname()); print('abstract ok')
left, right = socket.socketpair(); left.send(b'pair ok'); print(right.recv(9))
"""
    result = world.python(code, listen=[("127.0.0.1", [])])
    for each in ("tcp ok", "True", "unix ok", "abstract ok", "pair ok"):
        assert each in result.out, result.text


def test_a_port_that_the_run_once_had_is_somebody_elses_now(world: World):
    code = """
server = socket.create_server(('127.0.0.1', 0)); port = server.getsockname()[1]
name = '\\0kw-once-%d' % os.getpid()
abstract = socket.socket(socket.AF_UNIX); abstract.bind(name); abstract.listen()
server.close(); abstract.close()
open(WORK + '/had', 'w').write('%d %d' % (port, os.getpid()))
while not os.path.exists(WORK + '/taken'): time.sleep(0.02)
print('port', refused(socket.create_connection, ('127.0.0.1', port)))
print('name', refused(socket.socket(socket.AF_UNIX).connect, name))
"""
    done: list[object] = []
    thread = threading.Thread(
        target=lambda: done.append(world.python(code, listen=[("127.0.0.1", [])]))
    )
    thread.start()
    had = world.root / "work/had"
    while not (had.exists() and len(had.read_text().split()) == 2) and thread.is_alive():
        thread.join(0.02)
    port, pid = had.read_text().split()
    tcp = Door(socket.AF_INET, ("127.0.0.1", int(port)))
    name = Door(socket.AF_UNIX, f"\0kw-once-{pid}")
    (world.root / "work/taken").touch()
    thread.join(30)
    tcp.close()
    name.close()
    result = done[0]
    assert "port refused: EACCES" in result.out, result.text
    assert "name refused: EACCES" in result.out, result.text
    assert (tcp.came, name.came) == (0, 0)


@pytest.mark.parametrize("landlock", [7, 3], ids=["now", "as before 6.7"])
def test_unix_sockets_outside_are_out_of_reach(world: World, landlock: int):
    path = str(world.root / "secret/docker.sock")
    door = Door(socket.AF_UNIX, path)
    abstract = Door(socket.AF_UNIX, f"\0kw-outside-{world.root.name}")
    (world.root / "secret").chmod(0o777)
    (world.root / "secret/docker.sock").chmod(0o777)
    try:
        result = world.python(
            f"""
path = {path!r}
def reach(name): s = socket.socket(socket.AF_UNIX); s.connect(name); return s.recv(9)
print(1, refused(reach, path))
os.symlink(path, WORK + '/d'); print(2, refused(reach, WORK + '/d'))
os.chdir(WORK); print(3, refused(reach, '../secret/docker.sock'))
at = os.open(path, os.O_PATH); print(4, refused(reach, '/proc/self/fd/%d' % at))
print(5, refused(os.link, path, WORK + '/e'))
print(6, refused(reach, '\\0kw-outside-{world.root.name}'))
print(7, refused(lambda: socket.socket(socket.AF_UNIX).bind({str(world.root / "secret/new")!r})))
socket.socket(socket.AF_UNIX).bind(WORK + '/mine'); print('bound', os.path.exists(WORK + '/mine'))
""",
            landlock=landlock,
        )
        assert result.out.count("refused: E") == 7, result.text
        assert "bound True" in result.out
        assert (door.came, abstract.came) == (0, 0)
        allowed = world.python(
            f"s = socket.socket(socket.AF_UNIX); s.connect({path!r}); print(s.recv(9))",
            write=[path],
            landlock=landlock,
        )
        assert "welcome" in allowed.out, allowed.text
    finally:
        door.close()
        abstract.close()


def test_a_path_of_a_unix_socket_flipped_by_another_thread(world: World):
    door = Door(socket.AF_UNIX, str(world.root / "secret/door"))
    (world.root / "secret").chmod(0o777)
    (world.root / "secret/door").chmod(0o777)
    try:
        world.python(
            f"""
mine = socket.socket(socket.AF_UNIX); mine.bind(WORK + '/door'); mine.listen(4096)
good, bad = ((WORK + '/door').encode(), {str(world.root / "secret/door")!r}.encode())
page = flipping(*((struct.pack('=H', 1) + each).ljust(109, b'\\0') for each in (good, bad)))
size = 110
for _ in rounds(3000):
    s = socket.socket(socket.AF_UNIX)
    try: call('connect', s.fileno(), page, size)
    except OSError: pass
    t = socket.socket(socket.AF_UNIX)
    try: call('bind', t.fileno(), page, size)
    except OSError: pass
"""
        )
        assert door.came == 0
    finally:
        door.close()
