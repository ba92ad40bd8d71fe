"""Modes, owners, times and lengths: Landlock says nothing of them, so the supervisor does."""

from __future__ import annotations

import os
import stat

import pytest
from fenced import World

pytestmark = pytest.mark.real

CHANGES = {
    "chmod": "os.chmod(path, 0o777)",
    "fchmod of what may be read": "os.fchmod(os.open(readable, os.O_RDONLY), 0o777)",
    "fchmodat": "os.chmod(os.path.basename(path), 0o777, dir_fd=os.open(os.path.dirname(path), os.O_PATH))",
    "fchmodat2 of a descriptor": "call('fchmodat2', os.open(path, os.O_PATH), b'', 0o777, 0x1000)",
    "chmod by /proc/self/fd": "os.chmod('/proc/self/fd/%d' % os.open(path, os.O_PATH), 0o777)",
    "chmod by a link": "os.symlink(path, WORK + '/l'); os.chmod(WORK + '/l', 0o777)",
    "chown": "os.chown(path, -1, os.getgid())",
    "lchown": "os.chown(path, os.getuid(), -1, follow_symlinks=False)",
    "fchown": "os.fchown(os.open(readable, os.O_RDONLY), os.getuid(), -1)",
    "utime": "os.utime(path, (1, 1))",
    "utime of a descriptor": "os.utime(os.open(readable, os.O_RDONLY), (1, 1))",
    "utimes": "call('utimes', path.encode(), struct.pack('=4q', 1, 0, 1, 0))",
    "truncate": "os.truncate(path, 0)",
    "opened to be emptied": "os.open(path, os.O_RDONLY | os.O_TRUNC)",
    "an extended attribute": "os.setxattr(path, 'user.kw', b'1')",
    "an extended attribute of a descriptor": "os.setxattr(os.open(readable, 0), 'user.kw', b'1')",
    "file_setattr": "call('file_setattr', -100, path.encode(), bytes(64), 24, 0)",
}


def look(path: os.PathLike[str]) -> tuple[int, ...]:
    found = os.stat(path)
    return (found.st_mode, found.st_uid, found.st_gid, found.st_size, found.st_mtime_ns)


@pytest.mark.parametrize("name", CHANGES)
@pytest.mark.parametrize("landlock", [7, 2], ids=["now", "as before 6.2"])
def test_what_may_not_be_written_keeps_its_attributes(world: World, name: str, landlock: int):
    secret, public = world.root / "secret/canary", world.root / "open/public"
    before = look(secret), look(public)
    code = f"""
def change(path, readable):
    {CHANGES[name]}
print(refused(change, SECRET, PUBLIC))
"""
    result = world.python(code, landlock=landlock)
    assert "refused: E" in result.out, result.text
    assert (look(secret), look(public)) == before
    assert not {"user.kw"} & {*os.listxattr(secret), *os.listxattr(public)}


def test_a_device_that_may_be_written_keeps_its_mode(world: World):
    result = world.python("""
print(refused(os.chmod, '/dev/null', os.stat('/dev/null').st_mode & 0o777))
print(refused(os.fchmod, os.open('/dev/null', os.O_WRONLY), os.stat('/dev/null').st_mode & 0o777))
print(refused(os.chown, '/dev/null', -1, -1))
""")
    assert result.out.count("refused: EACCES") == 3, result.text


def test_what_may_be_written_can_be_changed_in_every_way(world: World):
    result = world.python("""
path = WORK + '/file'
open(path, 'w').write('0123456789')
os.chmod(path, 0o640); os.utime(path, (5, 7)); os.truncate(path, 4)
at = os.open(path, os.O_RDWR)
os.fchmod(at, 0o604); os.fchown(at, os.getuid(), os.getgid()); os.chown(path, -1, -1)
call('utimes', path.encode(), struct.pack('=4q', 11, 5, 13, 6))
os.symlink('file', WORK + '/link'); os.chown(WORK + '/link', -1, -1, follow_symlinks=False)
os.utime(WORK + '/link', (3, 4), follow_symlinks=False)
os.chmod(os.path.basename(path), 0o644, dir_fd=os.open(WORK, os.O_PATH))
import tempfile
with tempfile.TemporaryFile(dir=WORK) as nameless: os.fchmod(nameless.fileno(), 0o600)
print('link', int(os.lstat(WORK + '/link').st_mtime))
""")
    assert result.code == 0, result.text
    found = (world.root / "work/file").stat()
    assert (found.st_mode & 0o777, found.st_size, found.st_atime_ns, found.st_mtime_ns) == (
        0o644,
        4,
        11_000_005_000,
        13_000_006_000,
    )
    assert "link 4" in result.out
    assert not [each for each in result.targets() if each.startswith(str(world.root))]


def test_the_umask_is_the_callers(world: World):
    """The supervisor creates what Landlock cannot: a literal path that is not there yet."""
    target = world.root / "secret/report"
    result = world.python(
        f"os.umask(0o077); print(os.open({str(target)!r}, os.O_CREAT | os.O_WRONLY, 0o666))",
        write=[str(target)],
    )
    assert result.code == 0, result.text
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert target.stat().st_uid == world.user


def test_a_mode_flipped_by_another_thread_is_the_file_that_was_looked_at(world: World):
    """No change of a mode may reach the other path, whatever the memory says later."""
    world.python("""
open(WORK + '/mine', 'w').close()
good, bad = (WORK + '/mine').encode(), SECRET.encode()
page = flipping(good, bad)
for _ in rounds(3000):
    try: kernel.call('fchmodat', -100, page, 0o777, 0)
    except OSError: pass
""")
    assert stat.S_IMODE((world.root / "secret/canary").stat().st_mode) & 0o111 == 0
