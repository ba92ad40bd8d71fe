"""Tricks to read a file that the envelope does not allow; each also reads one that it does."""

from __future__ import annotations

import pytest
from fenced import World

pytestmark = pytest.mark.real

TRICKS = {
    "its own name": "return open(path, 'rb').read()",
    "a walk with dots": "return open(f'{WORK}/../work/.././{os.path.relpath(path, ROOT)}', 'rb').read()",
    "relative": "os.chdir(os.path.dirname(path)); return open(os.path.basename(path), 'rb').read()",
    "relative to a descriptor": """
        at = os.open(os.path.dirname(path), os.O_PATH | os.O_DIRECTORY)
        return os.read(os.open(os.path.basename(path), os.O_RDONLY, dir_fd=at), 99)""",
    "a symbolic link": """
        os.symlink(path, f'{WORK}/link'); return open(f'{WORK}/link', 'rb').read()""",
    "a link to its directory": """
        os.symlink(os.path.dirname(path), f'{WORK}/way')
        return open(f'{WORK}/way/' + os.path.basename(path), 'rb').read()""",
    "links in a chain": """
        os.symlink(path, f'{WORK}/l0')
        for i in range(30): os.symlink(f'l{i}', f'{WORK}/l{i+1}')
        return open(f'{WORK}/l30', 'rb').read()""",
    "/proc/self/root": "return open('/proc/self/root' + path, 'rb').read()",
    "/proc/PID/root": "return open(f'/proc/{os.getpid()}/root' + path, 'rb').read()",
    "/proc/thread-self/root": "return open('/proc/thread-self/root' + path, 'rb').read()",
    "/proc/self/cwd": """
        os.chdir(os.path.dirname(path))
        return open('/proc/self/cwd/' + os.path.basename(path), 'rb').read()""",
    "a path descriptor opened again": """
        at = os.open(path, os.O_PATH); return open(f'/proc/self/fd/{at}', 'rb').read()""",
    "a path descriptor by /dev/fd": """
        at = os.open(path, os.O_PATH); return open(f'/dev/fd/{at}', 'rb').read()""",
    "a thread's descriptor": """
        at = os.open(path, os.O_PATH)
        return open(f'/proc/self/task/{os.getpid()}/fd/{at}', 'rb').read()""",
    "openat2": """
        at = call('openat2', -100, path.encode(), struct.pack('=QQQ', os.O_RDONLY, 0, 0), 24)
        return os.read(at, 99)""",
    "openat2 in a root of its own": """
        top = os.open(os.path.dirname(path), os.O_PATH)
        how = struct.pack('=QQQ', os.O_RDONLY, 0, 0x10)
        return os.read(call('openat2', top, os.path.basename(path).encode(), how, 24), 99)""",
    "sendfile": """
        out = os.open(f'{WORK}/copy', os.O_RDWR | os.O_CREAT)
        os.sendfile(out, os.open(path, os.O_RDONLY), 0, 99); os.lseek(out, 0, 0)
        return os.read(out, 99)""",
    "a map in memory": """
        with open(path, 'rb') as file, mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) as found:
            return found[:]""",
    "read and write": "return os.read(os.open(path, os.O_RDWR), 99)",
    "a working directory of another thread": """
        out = []
        def go():
            call('unshare', 0x200)
            os.chdir(os.path.dirname(path))
            try: out.append(open(os.path.basename(path), 'rb').read())
            except OSError as error: out.append(error)
        thread = threading.Thread(target=go); thread.start(); thread.join()
        if isinstance(out[0], OSError): raise out[0]
        return out[0]""",
}
NEVER = {
    "a hard link": "os.link(path, f'{WORK}/hard'); return open(f'{WORK}/hard', 'rb').read()",
    "renamed": "os.rename(path, f'{WORK}/moved'); return open(f'{WORK}/moved', 'rb').read()",
    "exchanged": """
        open(f'{WORK}/mine', 'w').close()
        call('renameat2', -100, path.encode(), -100, f'{WORK}/mine'.encode(), 2)
        return open(f'{WORK}/mine', 'rb').read()""",
    "a handle": """
        handle = ctypes.create_string_buffer(struct.pack('=Ii', 128, 0), 136)
        mount = ctypes.create_string_buffer(4)
        call('name_to_handle_at', -100, path.encode(), handle, mount, 0)
        top = os.open(ROOT, os.O_PATH)
        return os.read(call('open_by_handle_at', top, handle, os.O_RDONLY), 99)""",
    "io_uring": "return call('io_uring_setup', 8, bytes(120))",
    "a new user namespace": "return call('unshare', 0x10000000)",
    "a clone into namespaces": "return call('clone', 0x10020000 | 17, 0, 0, 0, 0)",
    "clone3": "return call('clone3', struct.pack('=11Q', 0x10000000, *[0] * 10), 88)",
    "a bind mount": """
        return call('mount', os.path.dirname(path).encode(), WORK.encode(), b'', 0x1000, None)""",
    "a tree opened": "return call('open_tree', -100, path.encode(), 1)",
    "a new mount": "return call('fsopen', b'proc', 0)",
    "chroot": "os.chroot(os.path.dirname(path)); return open('/canary', 'rb').read()",
    "a device of its own": """
        os.mknod(f'{WORK}/disk', 0o060600, os.stat(path).st_dev)
        return open(f'{WORK}/disk', 'rb').read(99)""",
    "a watch on every open": "return call('fanotify_init', 0x200, 0)",
    "a watch on its directory": """
        at = call('inotify_init1', 0) if 'inotify_init1' in kernel.numbers() else ctypes.CDLL(None).inotify_init()
        return call('inotify_add_watch', at, os.path.dirname(path).encode(), 0xfff)""",
    "an attribute read back": "os.setxattr(path, 'user.x', b'1'); return b'set'",
}


def run_trick(world: World, trick: str, path: str):
    body = "\n".join(f"    {line}" for line in trick.splitlines())
    code = f"def trick(path):\n{body}\nprint(refused(trick, {path}))\n"
    return world.python(code)


def indented(trick: str) -> str:
    """Return a trick with the indentation of this file taken away."""
    lines = trick.strip("\n").splitlines()
    return "\n".join(line.removeprefix("        ") for line in lines)


@pytest.mark.parametrize("name", TRICKS)
def test_a_way_that_works_for_what_is_open_does_not_work_for_what_is_not(world: World, name: str):
    trick = indented(TRICKS[name])
    benign = run_trick(world, trick, "PUBLIC" if "RDWR)" not in trick else "WORK + '/mine'")
    if "RDWR)" in trick and "sendfile" not in name:
        assert "ENOENT" in benign.out  # nothing there: the open itself was let through
    else:
        assert world.public in benign.out, benign.text
    for left in (world.root / "work").iterdir():
        left.unlink()
    attack = run_trick(world, trick, "SECRET")
    assert world.canary not in attack.text
    assert "refused: E" in attack.out, attack.text


@pytest.mark.parametrize("name", NEVER)
def test_a_way_that_nobody_has(world: World, name: str):
    attack = run_trick(world, indented(NEVER[name]), "SECRET")
    assert world.canary not in attack.text
    assert "refused: E" in attack.out, attack.text
    assert (world.root / "secret/canary").read_text() == world.canary


def test_a_refusal_is_an_event_that_says_which_rule(world: World):
    result = world.python("print(refused(open, SECRET))")
    event = next(e for e in result.events if e["target"].endswith("/secret/canary"))
    assert event["effect"] == "deny"
    assert event["strength"] == "prevented"
    assert event["rule"] == "file.read:default"


def test_entries_of_other_processes_are_closed(world: World):
    code = """
for name in ('environ', 'mem', 'maps', 'fd', 'cmdline', 'root/etc/hostname', 'cwd'):
    print(name, refused(os.listdir if name in ('fd', 'cwd') else open, f'/proc/{os.getppid()}/{name}'))
print('own', len(open('/proc/self/environ').read()) > 10, len(os.listdir('/proc/self/fd')) > 2)
"""
    result = world.python(code)
    assert result.out.count("refused: E") == 7, result.out
    assert "own True True" in result.out
