import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from made_up_host import EVERYWHERE, Host, facts

from keepwall.discover.host_processes import read_processes
from keepwall.discover.host_users import read_users


@pytest.fixture
def host(tmp_path):
    return Host(tmp_path)


def test_the_title_of_a_process_is_hostile(host):
    host.process(5, "claude", "\x1b]0;owned\x07\x1b[2J", "x" * 4_000_000, "\udcff\u202e")
    found = host.discover()
    (running,) = facts(found, "process.running")
    assert running["argv"][1] == "\\x1b]0;owned\\x07\\x1b[2J"
    assert sum(map(len, running["argv"])) < 40_000
    assert "\x1b" not in repr([each.value for each in found.facts])


def test_a_program_that_runs_a_thousand_times_is_told_once(host):
    for pid in range(10, 1_010):
        host.process(pid, "/usr/bin/claude", uid=1000)
    found = host.discover()
    assert len(facts(found, "process.running")) == 1
    (asset,) = [each for each in found.assets if each.kind == "process"]
    assert len(asset.locations) == 20


def test_a_process_whose_number_is_taken_by_another_is_left_out(host):
    host.process(5, "/usr/bin/ollama", "serve")
    (host.proc / "5/stat").unlink()
    os.mkfifo(host.proc / "5/stat")  # cannot be read: both looks agree that it tells nothing
    assert [each.pid for each in read_processes(host.proc).all] == [5]

    class Reused(type(host.proc)):
        looks = 0

        def __truediv__(self, name):
            path = super().__truediv__(name)
            if name == "stat":
                Reused.looks += 1
                path = path.parent / f"stat{Reused.looks}"
            return path

    for look in (1, 2):
        host.write(f"proc/5/stat{look}", f"5 (x) S 1 {'0 ' * 17} {look} 0")
    assert read_processes(Reused(host.proc)).all == ()


def test_a_process_without_files_and_numbers_that_are_none(host):
    (host.proc / "7").mkdir()
    (host.proc / "99999999999999999999999999").mkdir()
    (host.proc / "8").symlink_to("nowhere")
    (host.proc / "9").write_text("x")
    assert read_processes(host.proc).all == ()


def test_sockets_in_a_namespace_of_their_own_are_not_those_of_the_host(host):
    (host.proc / "self/ns").mkdir(parents=True)
    (host.proc / "self/ns/net").symlink_to("net:[1]")
    host.process(
        5,
        "/usr/bin/ollama",
        "serve",
        sockets=[50],
        links={"ns/net": "net:[2]"},
    )
    host.write("proc/5/cgroup", f"0::/system.slice/docker-{'ab' * 32}.scope\n")
    host.listen(EVERYWHERE, 11434, 50)
    (host.proc / "net").rename(host.proc / "5/net")
    asked = []
    found = host.discover(lambda *question: asked.append(question))
    (endpoint,) = [each for each in found.assets if each.kind == "endpoint"]
    assert endpoint.id == "endpoint:http://abababababab.node-1:11434"
    assert "namespace of its own" in endpoint.attributes["reach"]
    assert asked == []  # its loopback is not ours


def test_homes_are_entered_once_and_closed_ones_named(host, monkeypatch):
    host.write(
        "etc/passwd", "a:x:1:1::/home/a:/x\nb:x:2:2::/home/link:/x\nc:x:3:3::/nonexistent:/x\n"
    )
    (host.root / "home/a").mkdir(parents=True)
    (host.root / "home/link").symlink_to("a")
    (host.root / "home/broken").symlink_to("nowhere")
    os.mkfifo(host.root / "home/pipe")
    users = read_users(host.root)
    assert users.homes == (host.root / "home/a",)
    assert users.unread == ()
    real = os.stat

    def closed(path, *rest, **named):
        if str(path).endswith("/home/a/."):
            raise PermissionError(13, "Permission denied")
        return real(path, *rest, **named)

    monkeypatch.setattr(os, "stat", closed)
    (unread,) = read_users(host.root).unread
    assert unread.path == "/home/a"
    assert "unknown" in unread.reason


_HIDDEN = """
import ctypes, os, sys
from pathlib import Path
from keepwall.discover.host_processes import read_processes
libc = ctypes.CDLL(None, use_errno=True)
assert libc.unshare(0x00020000) == 0  # CLONE_NEWNS
assert libc.mount(b"none", b"/", None, 0x44000, None) == 0  # private
if libc.mount(b"proc", b"/proc", b"proc", 0, b"hidepid=2") != 0:
    sys.exit(9)
os.setgroups([]); os.setgid(65534); os.setuid(65534)
found = read_processes(Path("/proc"))
print(len(found.all), [each.reason for each in found.unread])
"""


@pytest.mark.real
def test_hidepid_for_real(tmp_path):
    """Where /proc hides the processes of others, that is said; a mount needs root."""
    if os.geteuid() != 0:
        (tmp_path / "self").mkdir()
        (tmp_path / "self/mounts").write_text("proc /proc proc rw,hidepid=invisible 0 0\n")
        assert "hidepid" in read_processes(tmp_path).unread[0].reason
        return
    done = subprocess.run(
        [sys.executable, "-c", _HIDDEN],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "hidepid=" in done.stdout
    assert int(done.stdout.split()[0]) <= 1  # itself at most


@pytest.mark.real
def test_processes_that_die_while_they_are_read():
    """Hundreds of processes start and end beside the reader; none of them upsets it."""
    program = "echo; while :; do /bin/true; done"
    with subprocess.Popen(["/bin/sh", "-c", program], stdout=subprocess.PIPE) as churn:
        try:
            assert churn.stdout is not None
            churn.stdout.readline()  # it runs
            ends = time.monotonic() + 2
            while time.monotonic() < ends:
                assert any(each.pid == churn.pid for each in read_processes(Path("/proc")).all)
        finally:
            churn.kill()
