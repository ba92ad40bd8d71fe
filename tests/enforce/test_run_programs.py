"""Tricks to run a program that the envelope does not allow."""

from __future__ import annotations

import os
import platform
import shutil

import pytest
from fenced import World

pytestmark = pytest.mark.real

LOADER = "/lib64/ld-linux-x86-64.so.2"
WAYS = {
    "its name": "os.execv('/bin/cat', ['cat', '/dev/null'])",
    "a link": "os.symlink('/bin/cat', WORK + '/c'); os.execv(WORK + '/c', ['c', '/dev/null'])",
    "a copy": """open(WORK + '/c', 'wb').write(open(COPY, 'rb').read()); os.chmod(WORK + '/c', 0o755)
    os.execv(WORK + '/c', ['c', '/dev/null'])""",
    "a script": """open(WORK + '/s', 'w').write('#!/bin/cat\\n'); os.chmod(WORK + '/s', 0o755)
    os.execv(WORK + '/s', ['s'])""",
    "fexecve": "os.execve(os.open('/bin/cat', os.O_PATH), ['cat', '/dev/null'], {})",
    "execveat": """
    arguments = (ctypes.c_char_p * 3)(b'cat', b'/dev/null', None)
    call('execveat', os.open('/bin', os.O_PATH), b'cat', arguments, None, 0)""",
    "a file in memory": """at = os.memfd_create('x', 0)
    os.write(at, open(COPY, 'rb').read()); os.execve(at, ['x', '/dev/null'], {})""",
    "a file in memory, asked to be executable": """at = os.memfd_create('x', 0x10)
    os.write(at, open(COPY, 'rb').read()); os.execve(at, ['x', '/dev/null'], {})""",
    "a file in memory, unsealed": """at = os.memfd_create('x', 0x2)
    os.write(at, open(COPY, 'rb').read()); os.fchmod(at, 0o777)
    os.execve(at, ['x', '/dev/null'], {})""",
    "a nameless file": """at = os.open(WORK, os.O_TMPFILE | os.O_RDWR, 0o755)
    os.write(at, open(COPY, 'rb').read()); path = '/proc/self/fd/%d' % at
    os.execv('/proc/self/fd/%d' % os.open(path, os.O_RDONLY), ['x', '/dev/null'])""",
    "posix_spawn": "print(os.posix_spawn('/bin/cat', ['cat', '/dev/null'], {}))",
    "the loader": f"os.execv({LOADER!r}, ['ld', COPY, '/dev/null'])",
    "the loader by its real name": "os.execv(os.path.realpath(%r), ['ld', COPY])" % LOADER,
    "the loader as an interpreter": f"""open(WORK + '/s', 'w').write('#!{LOADER} ' + COPY + '\\n')
    os.chmod(WORK + '/s', 0o755); os.execv(WORK + '/s', ['s'])""",
}


@pytest.mark.parametrize("name", WAYS)
def test_a_program_that_is_not_allowed_does_not_run(world: World, name: str):
    """`/usr/bin/yes` can be read, which is all that the loader needs; its output would tell."""
    shutil.copy("/usr/bin/yes", world.root / "open/copy")
    (world.root / "open/copy").chmod(0o755)
    code = f"""
COPY = {str(world.root / "open/copy")!r}
def attempt():
    {WAYS[name]}
pid = os.fork()
if not pid:
    print(refused(attempt), flush=True); os._exit(7)
print('ended', os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    result = world.python(code, timeout=20)
    assert "refused: E" in result.out or "ended -9" in result.out, result.text
    assert "/dev/null\n" not in result.out  # what `yes /dev/null` would say


def test_scripts_run_where_script_and_interpreter_are_allowed(world: World):
    script = world.root / "open/tool"
    script.write_text(f"#!{world.stage.python}\nprint('tool ran')\n")
    script.chmod(0o755)
    code = (
        f"import subprocess; print(subprocess.run([{str(script)!r}], capture_output=True).stdout)"
    )
    assert "tool ran" in world.python(code, execute=[str(script)]).out
    assert "tool ran" not in world.python(code).out


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the loader's name is x86_64's")
@pytest.mark.parametrize("decoy", ["/nonexistent/x", "allowed"])
def test_a_path_flipped_to_the_loader_starts_nothing(world: World, decoy: str):
    """The kernel may read the loader where the supervisor saw another path: it is ended late."""
    shutil.copy("/usr/bin/tee", world.root / "open/tee")
    allowed = os.path.realpath(world.stage.python) if decoy == "allowed" else decoy
    marker = world.root / "work/ran"
    code = f"""
bad, good = {LOADER!r}.encode(), {allowed!r}.encode()
size = max(len(good), len(bad)) + 1
page = mmap.mmap(-1, 4096)  # shared with the children
address = ctypes.addressof(ctypes.c_char.from_buffer(page))
flipper = os.fork()
if not flipper:
    while True:
        page[:size] = good.ljust(size, b'\\0'); page[:size] = bad.ljust(size, b'\\0')
arguments = [b'x', {str(world.root / "open/tee")!r}.encode(), {str(marker)!r}.encode(), None]
argv = (ctypes.c_char_p * 4)(*arguments)
nothing = os.open('/dev/null', os.O_RDONLY)
late = 0
for _ in rounds(600):
    pid = os.fork()
    if not pid:
        os.dup2(nothing, 0); os.dup2(nothing, 2)
        try: call('execve', address, argv, None)
        except OSError: pass
        os._exit(0)
    late += os.waitpid(pid, 0)[1] == signal.SIGKILL
os.kill(flipper, 9)
print('killed late', late)
"""
    result = world.python(code, timeout=100)
    assert not marker.exists(), result.text
    assert "killed late" in result.out, result.text


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the loader's name is x86_64's")
def test_a_start_by_a_thread_while_another_opens_is_looked_at_again(world: World):
    shutil.copy("/usr/bin/tee", world.root / "open/tee")
    marker = world.root / "work/ran"
    allowed = os.path.realpath(world.stage.python)
    code = f"""
bad, good = {LOADER!r}.encode(), {allowed!r}.encode()
size = max(len(good), len(bad)) + 1
page = ctypes.create_string_buffer(size)
argv = (ctypes.c_char_p * 4)(b'x', {str(world.root / "open/tee")!r}.encode(),
                             {str(marker)!r}.encode(), None)
def flip():
    while True:
        page.raw = good.ljust(size, b'\\0'); page.raw = bad.ljust(size, b'\\0')
def start():
    time.sleep(0.002)
    while True:
        try: call('execve', page, argv, None)
        except OSError: pass
for _ in rounds(150):
    pid = os.fork()
    if not pid:
        os.dup2(os.open('/dev/null', os.O_RDONLY), 0); os.dup2(0, 2)
        threading.Thread(target=flip, daemon=True).start()
        threading.Thread(target=start, daemon=True).start()
        end = time.monotonic() + 2
        while time.monotonic() < end:  # the first thread makes calls that are looked at
            try: open('/proc/self/nothing')
            except OSError: pass
        os._exit(0)
    os.waitpid(pid, 0)
print('through')
"""
    result = world.python(code, timeout=110)
    assert "through" in result.out, result.text
    assert not marker.exists()
