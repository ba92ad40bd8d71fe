"""A made-up host for tests: a directory with the shape of a root and its ``/proc``."""

import ipaddress
import json
import os
import subprocess
import sys

from keepwall.discover.host import discover_host

EVERYWHERE = str(ipaddress.IPv4Address(0))


def hexadecimal(address: str) -> str:
    raw = ipaddress.ip_address(address).packed
    return b"".join(raw[index : index + 4][::-1] for index in range(0, len(raw), 4)).hex().upper()


class Host:
    """A simulated host: a root directory with its ``/proc``."""

    def __init__(self, root):
        self.root, self.proc = root, root / "proc"
        self.sockets: list[tuple[str, int, int, int]] = []
        self.write("proc/sys/kernel/hostname", "Node-1\n")
        self.write("etc/passwd", "root:x:0:0::/root:/bin/sh\nann:x:1000:1000::/home/ann:/bin/sh\n")

    def write(self, name, text):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8", "surrogateescape")

    def process(self, pid, *argv, uid=0, sockets=(), visible=True, maps="", links={}, parent=1):  # noqa: B006 - a test
        self.write(f"proc/{pid}/cmdline", "\0".join(argv) + "\0")
        self.write(f"proc/{pid}/status", f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\n")
        self.write(f"proc/{pid}/stat", f"{pid} (x) y) S {parent} " + "0 " * 17 + f"{pid} 0")
        self.write(f"proc/{pid}/maps", maps)
        self.write(f"proc/{pid}/environ", "")
        for name, target in links.items():
            path = self.proc / str(pid) / name
            path.parent.mkdir(exist_ok=True)
            path.symlink_to(target)
        folder = self.proc / str(pid) / "fd"
        folder.mkdir(exist_ok=True)
        for number, inode in enumerate(sockets):
            (folder / str(number)).symlink_to(f"socket:[{inode}]")
        if not visible:
            folder.rmdir()
            folder.symlink_to("/proc/1/fd" if os.geteuid() else "missing")

    def listen(self, address, port, inode, uid=0):
        self.sockets.append((address, port, inode, uid))
        for name, width in (("tcp", 4), ("tcp6", 16)):
            lines = ["  sl  local_address rem_address   st"]
            lines += [
                f"   0: {hexadecimal(each)}:{port:04X} 0:0 0A 0:0 00:0 0 {uid} 0 {inode} 1"
                for each, port, inode, uid in self.sockets
                if len(ipaddress.ip_address(each).packed) == width
            ]
            self.write(f"proc/net/{name}", "\n".join(lines))

    def discover(self, ask=None):
        return discover_host(proc=self.proc, root=self.root, ask=ask)


def facts(inventory, kind):
    return [dict(fact.value) for fact in inventory.facts if fact.kind == kind]


AS_NOBODY = """
import json, os
from pathlib import Path
from keepwall.discover.host import discover_host
from keepwall.discover.host_probe import ask
discover_host(proc=Path("/missing"), root=Path("/missing"))  # loads what a user may not read
if os.geteuid() == 0:
    os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = discover_host(ask=ask)
facts = [dict(each.value) for each in found.facts if each.kind == "endpoint.answered"]
print(json.dumps([facts, [f"{each.path}: {each.reason}" for each in found.unread]]))
"""


def as_nobody():
    """Return what an ordinary user finds on this host: answers of endpoints, and what is unread."""
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY],
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return json.loads(done.stdout)


def ids(inventory, kind):
    return {each.id for each in inventory.assets if each.kind == kind}
