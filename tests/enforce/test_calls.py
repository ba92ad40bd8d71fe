"""Which calls are seen, and what is read from their arguments and memory."""

from __future__ import annotations

import ctypes
import errno
import os
import struct

import pytest

from keepwall.enforce.runtime import attributes, calls, kernel
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.policy import Use
from keepwall.enforce.runtime.resolve import AT_FDCWD


class OwnMemory(Listener):
    """Reads the memory of the test itself; the call is always the one that waits."""

    def __init__(self) -> None:
        super().__init__(os.open("/dev/null", os.O_RDONLY))

    def valid(self, call: StoppedCall) -> bool:
        return call.id == 1


KEPT: list[object] = []


def at(data: bytes) -> int:
    KEPT.append(ctypes.create_string_buffer(data, len(data)))
    return ctypes.addressof(KEPT[-1])


def stopped(name: str, *arguments: int, call: int = 1) -> StoppedCall:
    padded = (*arguments, 0, 0, 0, 0, 0, 0)[:6]
    return StoppedCall(call, os.getpid(), kernel.numbers()[name], padded)


def opened(name: str, *arguments: int) -> calls.Open:
    return calls.parse_open(OwnMemory(), stopped(name, *arguments), name)


PATH = b"/etc/passwd\0"
MINUS_100 = 2**64 - 100


def test_every_kind_of_open():
    path = at(PATH)
    assert opened("openat", MINUS_100, path, os.O_RDWR, 0o600) == calls.Open(
        AT_FDCWD, PATH[:-1], os.O_RDWR, 0o600, careful=False
    )
    how = at(struct.pack("=QQQ", os.O_RDONLY, 0, 8))
    assert opened("openat2", 7, path, how, 24) == calls.Open(
        7, PATH[:-1], os.O_RDONLY, 0, careful=True, in_memory=True
    )
    if "open" in kernel.numbers():
        assert opened("open", path, os.O_WRONLY, 0o640).mode == 0o640
        assert opened("creat", path, 0o640).uses == (Use.WRITE,)


@pytest.mark.parametrize(
    ("flags", "uses"),
    [
        (os.O_RDONLY, (Use.READ,)),
        (os.O_WRONLY, (Use.WRITE,)),
        (os.O_RDWR, (Use.READ, Use.WRITE)),
        (os.O_RDONLY | os.O_CREAT, (Use.READ, Use.WRITE)),
        (os.O_RDONLY | os.O_TRUNC, (Use.READ, Use.WRITE)),
        (os.O_TMPFILE | os.O_RDWR, (Use.READ, Use.WRITE)),
        (os.O_RDONLY | os.O_DIRECTORY, (Use.READ,)),
        (os.O_PATH, ()),
        (3, (Use.WRITE,)),
    ],
)
def test_what_an_open_does_with_a_file(flags: int, uses: tuple[Use, ...]):
    assert opened("openat", MINUS_100, at(PATH), flags).uses == uses


def test_what_an_old_kernel_would_let_through():
    assert opened("openat", 0, at(PATH), os.O_RDONLY | os.O_TRUNC).evades_landlock
    assert not opened("openat", 0, at(PATH), os.O_WRONLY | os.O_TRUNC).evades_landlock
    how = at(struct.pack("=QQQ", os.O_RDONLY, 0, 0))
    assert opened("openat2", 0, at(PATH), how, 24).evades_landlock


def test_flags_that_no_open_has():
    assert opened("openat", 0, at(PATH), 2**64 - 1).flags >= 0
    with pytest.raises(OSError, match="no open") as raised:
        opened("openat2", 0, at(PATH), at(struct.pack("=QQQ", 1 << 40, 0, 0)), 24)
    assert raised.value.errno == errno.EINVAL


@pytest.mark.parametrize("address", [0, 1, 4095, 1 << 47, 1 << 63, 2**64 - 1])
def test_a_bad_address_is_a_fault(address: int):
    with pytest.raises(OSError) as raised:  # noqa: PT011 - the number is what matters
        OwnMemory().string(stopped("openat"), address)
    assert raised.value.errno == errno.EFAULT


def test_strings_across_pages_and_without_an_end():
    page = bytes(range(1, 250)) * 20
    whole = at(page[:4000] + b"\0")
    assert OwnMemory().string(stopped("openat"), whole) == page[:4000]
    with pytest.raises(OSError) as raised:  # noqa: PT011
        OwnMemory().string(stopped("openat"), at(b"x" * 10_000 + b"\0"))
    assert raised.value.errno == errno.ENAMETOOLONG
    assert OwnMemory().string(stopped("openat"), at(b"\0")) == b""


def test_memory_of_a_caller_that_is_gone_is_not_believed():
    with pytest.raises(OSError) as raised:  # noqa: PT011
        OwnMemory().memory(stopped("openat", call=2), at(PATH), 4)
    assert raised.value.errno == errno.ESRCH


def test_programs():
    listener, path = OwnMemory(), at(b"/bin/true\0")
    found = calls.program_path(listener, stopped("execve", path), "execve")
    assert found == (AT_FDCWD, b"/bin/true", True)
    found = calls.program_path(listener, stopped("execveat", 5, path, 0, 0, 0x100), "execveat")
    assert found == (5, b"/bin/true", False)


@pytest.mark.parametrize(
    ("name", "arguments", "expected"),
    [
        ("fchmod", (5, 0o600), (5, None, True)),
        ("fchmodat", (MINUS_100, "p", 0o600), (AT_FDCWD, PATH[:-1], True)),
        ("fchownat", (5, "p", 0, 0, 0x100), (5, PATH[:-1], False)),
        ("utimensat", (5, 0, 0, 0), (5, None, True)),
        ("utimensat", (5, "p", 0, 0x100), (5, PATH[:-1], False)),
        ("inotify_add_watch", (5, "p", 0x02000000), (AT_FDCWD, PATH[:-1], False)),
        ("truncate", ("p", 7), (AT_FDCWD, PATH[:-1], True)),
    ],
)
def test_what_a_change_of_attributes_is_about(
    name: str, arguments: tuple[object, ...], expected: tuple[object, ...]
):
    plain = [at(PATH) if each == "p" else each for each in arguments]
    found = attributes.target(OwnMemory(), stopped(name, *plain), name)
    assert (found.directory, found.path, found.follow) == expected


def test_what_is_watched():
    assert calls.watched(files=False, network=False) == frozenset()
    network = calls.watched(files=False, network=True)
    assert network == calls.SOCKETS | calls.FORKS
    every = calls.watched(files=True, network=True, signals=True)
    assert every > network | calls.OPENS | calls.PROGRAMS | set(calls.CHANGES) | calls.SIGNALS
    assert set(calls.by_number().values()) == every & set(kernel.numbers())
