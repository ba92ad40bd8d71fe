"""What the filter answers, call by call, without asking a kernel."""

from __future__ import annotations

import errno

import pytest
from bpf import answer

from keepwall.enforce.runtime import calls, kernel, seccomp

ALLOW, NOTIFY, ERRNO, KILL = 0x7FFF0000, 0x7FC00000, 0x00050000, 0x80000000
REFUSED, MISSING = ERRNO | errno.EPERM, ERRNO | errno.ENOSYS
HOST = kernel.AUDIT_ARCH[kernel.machine()]
BOTH = calls.watched(files=True, network=True)


def ask(
    name: str, *arguments: int, network: bool = True, runtime: bool = True, **more: bool
) -> int:
    watched = calls.watched(files=runtime, network=network)
    program = seccomp.build(watched, network=network, runtime=runtime, **more)
    return answer(program, HOST, kernel.numbers()[name], arguments)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("read", (), ALLOW),
        ("openat", (), NOTIFY),
        ("socket", (), NOTIFY),
        ("ptrace", (), REFUSED),
        ("clone3", (), MISSING),
        ("clone", (0x10F00,), ALLOW),  # a thread
        ("clone", (17,), NOTIFY),  # a process
        ("clone", (0x10000000 | 17,), REFUSED),
        ("clone", (0x10010F00,), REFUSED),  # a thread that asks for a namespace as well
        ("unshare", (0x400,), ALLOW),
        ("unshare", (0x80,), REFUSED),
        ("unshare", (0x20000,), REFUSED),
        ("ioctl", (0, 0x5401), ALLOW),
        ("ioctl", (0, 0x5412), REFUSED),
        ("ioctl", (0, 0x541C), REFUSED),
        ("ioctl", (0, (1 << 40) | 0x5412), REFUSED),  # CVE-2019-10063: only 32 bits count
        ("sendto", (3, 0, 0, 0), ALLOW),
        ("sendto", (3, 0, 0, 0x20000000), REFUSED),
        ("sendmsg", (3, 0, 0x20004000), REFUSED),
        ("sendmmsg", (3, 0, 1, 0x20000000), REFUSED),
        ("setsockopt", (3, 0, 4), REFUSED),
        ("setsockopt", (3, 6, 4), ALLOW),  # TCP_KEEPIDLE has the number of IP_OPTIONS
        ("setsockopt", (3, 0x29, 0x39), REFUSED),
        ("setsockopt", (3, 0x29, 0x1A), ALLOW),
        ("socketpair", (1, 1), ALLOW),
        ("socketpair", (1, 5), ALLOW),
        ("socketpair", (1, 0x80002), REFUSED),
        ("prlimit64", (0, 7), ALLOW),
        ("prlimit64", (77, 7), REFUSED),
    ],
)
def test_what_is_answered(name: str, arguments: tuple[int, ...], expected: int):
    assert ask(name, *arguments) == expected


def test_a_foreign_instruction_set_is_killed_and_x32_does_not_exist():
    program = seccomp.build(BOTH, network=True)
    for foreign in (0x40000003, 0x40000028, 0xC00000B7 if HOST == 0xC000003E else 0xC000003E):
        assert answer(program, foreign, kernel.numbers()["read"]) == KILL
    assert answer(program, HOST, 0x40000000) == MISSING
    assert answer(program, HOST, 0xFFFFFFFF) == MISSING


def test_a_plane_that_is_not_listed_refuses_nothing_of_its_own():
    assert ask("sendto", 3, 0, 0, 0x20000000, network=False) == ALLOW
    assert ask("socketpair", 1, 2, network=False) == ALLOW
    assert ask("setxattr", runtime=False) == ALLOW
    assert ask("openat", runtime=False) == ALLOW
    assert ask("setxattr") == REFUSED


def test_observing_refuses_nothing_but_what_hides_a_new_process():
    for name in ("ptrace", "mount", "io_uring_setup", "setxattr"):
        assert ask(name, refuse=False) == ALLOW
    assert ask("clone3", refuse=False) == MISSING
    assert ask("openat", refuse=False) == NOTIFY


def test_every_name_in_the_data_has_a_number_on_some_machine():
    known = set(kernel.numbers())
    only_x86 = {"iopl", "ioperm"}
    from keepwall.enforce.runtime import tables  # noqa: PLC0415

    names = {row[0] for row in tables.rows("refused.tsv")} | BOTH | calls.SIGNALS
    assert names <= known | (only_x86 if kernel.machine() != "x86_64" else set())
    rows = list(tables.rows("syscalls.tsv"))
    assert len({row[0] for row in rows}) == len(rows)
    for column in (1, 2):
        numbers = [row[column] for row in rows if row[column] != "-"]
        assert len(set(numbers)) == len(numbers), column
