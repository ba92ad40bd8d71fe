"""Processes of a run, asked about in programs of their own: a supervisor ends all its children."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from keepwall.enforce.runtime import processes

HEAD = """
import os, signal, sys, time, threading
from keepwall.enforce.runtime import processes
processes.adopt_orphans()
def sleeper():
    pid = os.fork()
    if not pid:
        while True: time.sleep(1)
    return pid
def state(pid): return processes.status(pid).get('State', 'gone')[:1]
"""


def program(code: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", HEAD + code],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_what_is_known_of_ourselves():
    me = os.getpid()
    assert processes.group_of(me) == me
    assert processes.parent_of(me) == os.getppid()
    found = processes.describe(me)
    assert found.pid == me
    assert found.path == os.path.realpath("/proc/self/exe")
    assert found.started > 0
    rights = processes.rights(me)
    assert rights.ours
    assert (rights.user, rights.group) == (os.geteuid(), os.getegid())
    before = os.umask(0o027)
    try:
        assert processes.rights(me).umask == 0o027
    finally:
        os.umask(before)


def test_who_is_gone_is_nobody():
    gone = 2**22 + 1
    assert processes.status(gone) == {}
    assert processes.group_of(gone) == gone
    assert processes.parent_of(gone) == 0
    assert processes.describe(gone).path == ""
    assert not processes.belongs(gone)
    with pytest.raises(OSError, match="No such"):
        processes.rights(gone)


def test_a_name_cannot_forge_the_fields_that_follow_it():
    out = program("""
import ctypes
ctypes.CDLL(None).prctl(15, b'x\\nTgid:\\t1\\nPP', 0, 0, 0)
me = os.getpid()
print(processes.group_of(me) == me, processes.parent_of(me) == os.getppid(), processes.rights(me).ours)
""")
    assert out == "True True True\n"


def test_threads_belong_to_their_process():
    out = program("""
seen = []
def look():
    thread = threading.get_native_id()
    seen.append((processes.group_of(thread) == os.getpid(), processes.threads_of(os.getpid())))
thread = threading.Thread(target=look); thread.start(); thread.join()
while processes.threads_of(os.getpid()) > 1: time.sleep(0.01)  # it ends after it is joined
print(seen, processes.threads_of(os.getpid()))
""")
    assert out == "[(True, 2)] 1\n"


def test_orphans_are_ours_and_strangers_are_not():
    out = program("""
read, write = os.pipe()
if not os.fork():
    if not os.fork():
        if not os.fork(): os.write(write, b'%d ' % os.getpid()); time.sleep(60)
        os._exit(0)
    os._exit(0)
orphan = int(os.read(read, 99)); time.sleep(0.2)
print(processes.belongs(orphan), processes.belongs(1), processes.belongs(os.getppid()), processes.belongs(os.getpid()))
print(orphan in processes.descendants(os.getpid()), processes.has_children())
print(processes.end_all(os.getpid()), state(orphan))
processes.reap_orphans(0)
print(processes.has_children())
""")
    assert out == "True False False False\nTrue True\n0 Z\nFalse\n"


def test_the_child_that_is_awaited_is_not_buried():
    out = program("""
child = os.fork()
if not child: os._exit(7)
time.sleep(0.2)
processes.reap_orphans(child)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
processes.reap_orphans(child)
""")
    assert out == "7\n"


def test_all_are_ended_also_who_is_stopped_or_deaf_or_far_below():
    out = program("""
pids = [sleeper() for _ in range(20)]
for pid in pids[:5]: os.kill(pid, signal.SIGSTOP)
read, write = os.pipe()
def down(depth):
    if os.fork() == 0:
        os.setsid()
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        if depth: down(depth - 1)
        else: os.write(write, b'x')
        while True: time.sleep(1)
down(10); os.read(read, 1)
print(len(processes.descendants(os.getpid())))
begin = time.monotonic()
print(processes.end_all(os.getpid()), time.monotonic() - begin < 2)
print({state(pid) for pid in pids})
""")
    assert out == "31\n0 True\n{'Z'}\n"


def test_a_descriptor_of_another_process_is_duplicated():
    out = program("""
read, write = os.pipe()
child = sleeper()
copy = processes.duplicate(child, write)
os.write(copy, b'through'); print(os.read(read, 9))
try: processes.duplicate(child, 99)
except OSError as error: print(error.errno)
processes.end_all(os.getpid())
""")
    assert out == "b'through'\n9\n"
