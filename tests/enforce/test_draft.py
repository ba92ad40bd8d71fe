"""From what a run used to an envelope that a person can read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keepwall.enforce.runtime.draft import draft
from keepwall.enforce.runtime.learn import Used
from keepwall.enforce.runtime.policy import FilePolicy, Use
from keepwall.formats.envelope.parse import parse
from keepwall.formats.envelope.render import render
from keepwall.vocabulary.decision import Strength
from keepwall.vocabulary.envelope import AddressRule, PathRule

HOME = "/home/ada"


def used(
    read: tuple[str, ...] = (),
    write: tuple[str, ...] = (),
    execute: tuple[str, ...] = (),
    **more: object,
) -> Used:
    files = {Use.READ: set(read), Use.WRITE: set(write), Use.EXECUTE: set(execute)}
    return Used(files=files, **more)


def paths(rules: tuple[PathRule, ...]) -> list[str]:
    return [rule.path for rule in rules]


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("/usr/lib/x86_64-linux-gnu/libc.so.6", "/usr/lib/**"),
        ("/srv/venv/lib/python3.11/site-packages/a/b.py", "/srv/venv/lib/python3.11/site-packages/**"),
        ("/srv/python/lib/python3.11/os.py", "/srv/python/lib/python3.11/**"),
        ("/sys/devices/system/cpu/online", "/sys/devices/system/cpu/**"),
        ("/proc/sys/vm/overcommit_memory", "/proc/sys/**"),
        ("/opt/agent/tools/x.py", "/opt/agent/**"),
        ("/etc/hosts", "/etc/hosts"),
        ("/home/ada/data.csv", "/home/ada/data.csv"),
        ("/home/ada/.cache/huggingface/hub/models--a--b/blobs/x",
         "/home/ada/.cache/huggingface/hub/models--a--b/**"),
        ("/usr/library/x", "/usr/library/x"),
    ],
)  # fmt: skip
def test_where_a_path_becomes_a_tree(path: str, rule: str):
    assert paths(draft(used((path,)), "a", HOME).envelope.file.read) == [rule]


def test_many_files_of_one_directory_mean_the_directory():
    many = tuple(f"/srv/data/{name}" for name in "abcd")
    assert paths(draft(used(many), "a", HOME).envelope.file.read) == ["/srv/data/**"]
    assert paths(draft(used(many[:3]), "a", HOME).envelope.file.read) == list(many[:3])


@pytest.mark.parametrize("broad", ["/", "/etc", "/home", HOME, "/usr"])
def test_no_broad_place_becomes_a_tree(broad: str):
    many = tuple(f"{broad.rstrip('/')}/{name}" for name in "abcdef")
    found = draft(used(many, many, changed=set(many)), "a", HOME).envelope.file
    assert paths(found.read) == paths(found.write) == list(many)


def test_what_comes_and_goes_needs_its_directory():
    found = draft(
        used(write=("/srv/out/a", "/srv/log"), changed={"/srv/out/a"}), "a", HOME
    ).envelope.file
    assert paths(found.write) == ["/srv/log", "/srv/out/**"]
    assert "/srv/out/**" in paths(found.read)


def test_random_names_in_a_temporary_directory():
    found = draft(used(write=("/tmp/x8f3k2",), changed={"/tmp/x8f3k2"}), "a", HOME).envelope.file
    assert paths(found.write) == ["/tmp/**"]
    deep = draft(used(write=("/tmp/app/x",), changed={"/tmp/app/x"}), "a", HOME).envelope.file
    assert paths(deep.write) == ["/tmp/app/**"]


@pytest.mark.parametrize(
    "secret",
    [f"{HOME}/.ssh/id_ed25519", f"{HOME}/.aws/credentials", "/etc/shadow", "/srv/app/.env"],
)
def test_a_place_of_credentials_never_becomes_normal(secret: str):
    beside = tuple(secret.rpartition("/")[0] + f"/{name}" for name in "abcd")
    found = draft(used((secret,), (secret,), changed={secret}), "a", HOME)
    assert not any(
        secret.startswith(rule.removesuffix("/**")) for rule in paths(found.envelope.file.read)
    )
    assert not found.envelope.file.write
    assert any(secret in line for line in found.left_out)
    if "/.ssh/" in secret:
        assert not draft(used(beside), "a", HOME).envelope.file.read


def test_programs_stay_literal_and_what_the_baseline_has_is_not_said():
    found = draft(used(("/dev/null",), ("/dev/null",), ("/bin/b", "/bin/a")), "a", HOME).envelope
    assert paths(found.process.allow) == ["/bin/a", "/bin/b"]
    assert not found.file.read
    assert not found.file.write
    assert found.minimum_strength is Strength.KILLED_LATE


def test_addresses_and_ports():
    found = draft(
        used(
            reached={("10.0.0.1", 443), ("10.0.0.1", 80), ("127.0.0.1", 8080)},
            offered={("127.0.0.1", 8080), ("127.0.0.1", 45123), ("::1", 9)},
        ),
        "a",
        HOME,
    ).envelope.network
    assert found.egress == (AddressRule("10.0.0.1", (80, 443)),)
    assert found.listen == (AddressRule("127.0.0.1"), AddressRule("::1", (9,)))


def test_what_cannot_be_said_is_left_out_and_said():
    found = draft(
        used(("/a\udcff", "/b[1]", "/c\n", "/d"), listed={"/e*"}, datagrams=True, overflow=3),
        "a",
        HOME,
    )
    assert paths(found.envelope.file.read) == ["/d"]
    said = "\n".join(found.left_out)
    for each in ("/a\\udcff", "/b[1]", "/c\\n", "/e*", "UDP", "3 paths"):
        assert each in said
    assert parse(render(found.envelope).encode(), "e")


PARTS = st.sampled_from(
    ["a", "b", "tmp", "usr", "lib", "etc", ".ssh", "x*", "opt", "home", "\udcff", "é"]
)
PATHS = st.lists(PARTS, min_size=1, max_size=5).map(lambda parts: "/" + "/".join(parts))
SETS = st.sets(PATHS, max_size=8)


@given(SETS, SETS, SETS, st.data())
def test_a_draft_is_valid_and_allows_what_was_used(
    read: set[str], write: set[str], execute: set[str], data: st.DataObject
):
    changed = {path for path in write if data.draw(st.booleans())}
    found = draft(used(tuple(read), tuple(write), tuple(execute), changed=changed), "a", HOME)
    assert parse(render(found.envelope).encode(), "e") == found.envelope
    policy = FilePolicy.of(found.envelope, ())
    left = "\n".join(found.left_out)
    for use, wanted in ((Use.READ, read), (Use.WRITE, write), (Use.EXECUTE, execute)):
        for path in wanted:
            assert policy.decide(use, path).allowed or path in left or ascii(path)[1:-1] in left


def test_compiled_code_of_packages_is_left_out_and_of_the_project_stays_narrow():
    library = "/srv/venv/lib/python3.11/site-packages/pip/__pycache__"
    own = "/srv/app/pkg/__pycache__"
    written = (library, f"{library}/a.cpython-311.pyc.123", own, f"{own}/b.cpython-311.pyc.456")
    found = draft(used(write=written, changed=set(written)), "a", HOME)
    assert paths(found.envelope.file.write) == [f"{own}/**"]
    (line,) = found.left_out
    assert line.startswith(f"writing 1 bytecode caches of installed packages, such as {library}: ")


def test_a_program_in_a_place_of_credentials_is_not_learned():
    found = draft(used(execute=(f"{HOME}/.ssh/tool", "/bin/a")), "a", HOME)
    assert paths(found.envelope.process.allow) == ["/bin/a"]
    assert found.left_out == (f"starting {HOME}/.ssh/tool: a place of credentials",)
