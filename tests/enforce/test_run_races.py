"""Changing what a path means between the look of the supervisor and the open."""

from __future__ import annotations

import os

import pytest
from fenced import World

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SWAPS = 20_000
FLIPS = 50_000
READ = """
def read(path):
    try: at = os.open(path, os.O_RDONLY) if isinstance(path, str) else call('openat', -100, path, 0, 0)
    except OSError: return b''
    with open(at, 'rb') as file: return file.read(99)
def tell(times, path):
    seen = {}
    for _ in rounds(times):
        found = read(path); seen[found] = seen.get(found, 0) + 1
    print(seen)
"""


def denied_inside(world: World) -> str:
    """Put the canary below what is allowed, so that the supervisor opens, and deny it there."""
    private = world.root / "open/private"
    private.mkdir()
    (world.root / "secret/canary").rename(private / "canary")
    world.own()
    return str(private)


def test_a_path_flipped_in_memory_where_the_supervisor_opens(world: World):
    private = denied_inside(world)
    code = READ + f"tell({FLIPS}, flipping(PUBLIC.encode(), b'{private}/canary'))"
    result = world.python(code, deny=[f"{private}/**"], timeout=200)
    assert world.canary not in result.text
    assert world.public in result.out, result.text


def test_a_path_flipped_in_memory_where_landlock_decides(world: World):
    code = READ + f"tell({FLIPS}, flipping(PUBLIC.encode(), SECRET.encode()))"
    result = world.python(code, timeout=200)
    assert world.canary not in result.text
    assert world.public in result.out, result.text


@pytest.mark.parametrize("brokered", [True, False], ids=["supervisor", "landlock"])
def test_a_directory_swapped_with_a_link_to_the_secret(world: World, *, brokered: bool):
    """`way/canary` is now a public file, now the secret: a rename each time."""
    (world.root / "work/good").mkdir()
    (world.root / "work/good/canary").write_text(world.public)
    (world.root / "work/bad").symlink_to(world.root / "secret")
    (world.root / "work/private").mkdir()
    world.own()
    code = (
        READ
        + f"""
ours = os.getpid()
if not os.fork():
    a, b = (WORK + '/good').encode(), (WORK + '/bad').encode()
    a, b = ctypes.create_string_buffer(a), ctypes.create_string_buffer(b)
    while os.getppid() == ours: kernel.call('renameat2', -100, ctypes.addressof(a), -100, ctypes.addressof(b), 2)
    os._exit(0)
tell({SWAPS}, WORK + '/good/canary')
"""
    )
    changes = {"timeout": 200}
    if brokered:  # written to as well, so that the swaps are allowed
        changes["deny"] = [f"{world.root}/work/private/**"]
        changes["write"] = [f"{world.root}/work/good/**", f"{world.root}/work/bad/**"]
    result = world.python(code, **changes)
    assert world.canary not in result.text
    assert world.public in result.out, result.text


def test_a_hard_link_swapped_in_where_a_file_is_created(world: World):
    """A file that comes while it is being created is looked at like any other."""
    private = denied_inside(world)
    (world.root / "open/out").mkdir()
    world.own()
    code = """
ours = os.getpid()
target = ROOT + '/open/out/new'
if not os.fork():
    while os.getppid() == ours:
        for act in (lambda: os.symlink(ROOT + '/open/private/canary', target), lambda: os.unlink(target)):
            try: act()
            except OSError: pass
    os._exit(0)
seen = set()
for _ in rounds(5000):
    try:
        with open(target, 'a+') as file: file.seek(0); seen.add(file.read())
    except OSError: pass
print(seen)
"""
    result = world.python(
        code, deny=[f"{private}/**"], write=[f"{world.root}/open/**"], timeout=100
    )
    assert world.canary not in result.text
    assert (world.root / "open/private/canary").read_text() == world.canary


def test_a_denied_file_has_no_other_name(world: World):
    """A hard link made before the run, in another tree that is allowed as a whole."""
    (world.root / "secret").rename(world.root / "open/private")
    os.link(world.root / "open/private/canary", world.root / "open/alias")
    (world.root / "other").mkdir()
    os.link(world.root / "open/private/canary", world.root / "other/alias")
    (world.root / "other/fine").write_text(world.public)
    world.own()
    code = """
for name in ('open/private/canary', 'open/alias', 'other/alias', 'other/fine'):
    print(refused(lambda: open(f'{ROOT}/{name}').read()))
    print(refused(lambda: open(f'{ROOT}/{name}', 'a').close()))
print(refused(os.link, ROOT + '/open/private/canary', WORK + '/l'))
"""
    result = world.python(
        code,
        deny=[f"{world.root}/open/private/**"],
        read=[f"{world.root}/other/**"],
        write=[f"{world.root}/other/**"],
    )
    assert world.canary not in result.text
    assert world.public in result.out, result.text


def test_an_allow_inside_a_denied_tree_grants_nothing(world: World):
    code = "print(refused(lambda: open(SECRET).read()))"
    result = world.python(code, read=[f"{world.root}/secret/**"], deny=[f"{world.root}/secret/**"])
    assert "refused: EACCES" in result.out, result.text
    literal = world.python(
        code, read=[str(world.root / "secret/canary")], deny=[f"{world.root}/secret/**"]
    )
    assert "refused: EACCES" in literal.out, literal.text


def test_a_link_that_an_earlier_run_has_left_grants_nothing(world: World):
    """The envelope names a literal path below what the subject may write."""
    first = world.python("os.symlink(ROOT + '/secret', WORK + '/cache')")
    assert first.code == 0, first.text
    for rules in (
        {"read": [f"{world.root}/work/cache/**"]},
        {"write": [f"{world.root}/work/cache/**"]},
    ):
        second = world.python(
            """
print(refused(lambda: open(WORK + '/cache/canary').read()))
print(refused(lambda: open(SECRET).read()))
print(refused(lambda: open(SECRET, 'w').close()))
""",
            **rules,
        )
        assert second.out.count("refused: EACCES") == 3, second.text
    assert (world.root / "secret/canary").read_text() == world.canary
