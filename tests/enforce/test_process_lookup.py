from __future__ import annotations

import os
import subprocess
import sys
import threading

from keepwall.enforce.runtime import processes


def test_a_thread_belongs_to_its_process_and_a_process_to_itself():
    found: list[tuple[int, int]] = []

    def look() -> None:
        thread = threading.get_native_id()
        found.append((thread, processes.group_of(thread)))

    worker = threading.Thread(target=look)
    worker.start()
    worker.join()
    thread, group = found[0]
    assert thread != os.getpid()
    assert group == os.getpid()
    assert processes.group_of(os.getpid()) == os.getpid()


def test_a_process_that_is_gone_is_its_own_group_and_has_no_parent():
    child = subprocess.Popen(["/bin/true"])
    child.wait()
    assert processes.group_of(child.pid) == child.pid
    assert processes.parent_of(child.pid) == 0


def test_a_task_cannot_name_itself_into_another_family():
    program = (
        "import ctypes, sys\n"
        "ctypes.CDLL(None).prctl(15, b'a\\nPPid:\\t1\\n', 0, 0, 0)\n"
        "print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        assert processes.parent_of(child.pid) == os.getpid()
        child.communicate()


def test_children_are_seen_until_they_are_waited_for():
    """In an interpreter of its own: the one of the tests may have children of others."""
    program = (
        "import os\n"
        "from keepwall.enforce.runtime import processes\n"
        "assert not processes.has_children()\n"
        "child = os.fork()\n"
        "if child == 0: os._exit(0)\n"
        "os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)\n"
        "assert processes.has_children()\n"
        "os.waitpid(child, 0)\n"
        "assert not processes.has_children()\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
