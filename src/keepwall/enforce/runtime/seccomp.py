"""Seccomp: a filter that refuses what no envelope allows and hands the rest to the supervisor.

The filter looks at system call numbers and register arguments only: what is behind a pointer can
change after it was read (seccomp_unotify(2)), so nothing behind a pointer is ever decided here.
"""

from __future__ import annotations

import ctypes
import errno
import struct

from keepwall.enforce.runtime import kernel, tables

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _NOTIFY, _ERRNO, _KILL = 0x7FFF0000, 0x7FC00000, 0x00050000, 0x80000000
_NR, _ARCH, _ARGUMENTS = 0, 4, 16
_X32_BIT = 0x40000000
_SET_MODE_FILTER = 1
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5

_ALWAYS = "always"
_NOTIFY_WHEN = {"clone": "0!0x10000"}
"""A new thread (CLONE_THREAD) is no new process: nobody needs to see it."""

Instruction = tuple[int, int, int, int]


def build(
    notify: frozenset[str], *, network: bool, runtime: bool = True, refuse: bool = True
) -> bytes:
    """Return the filter as an array of `struct sock_filter`.

    `notify` names the system calls that the supervisor sees; without `refuse` (observing) nothing
    else but clone3 is touched. `runtime` and `network` say which planes refuse what
    data/refused.tsv lists.
    A foreign instruction set kills the process, for its numbers mean something else.
    """
    program: list[Instruction] = [
        (_LD, 0, 0, _ARCH),
        (_JEQ, 1, 0, kernel.AUDIT_ARCH[kernel.machine()]),
        (_RET, 0, 0, _KILL),
        (_LD, 0, 0, _NR),
        (_JGE, 0, 1, _X32_BIT),
        (_RET, 0, 0, _ERRNO | errno.ENOSYS),
    ]
    numbers = kernel.numbers()
    planes = {"any", "runtime" if runtime else "any", "network" if network else "any"}
    # clone3 passes its flags behind a pointer; ENOSYS makes libc fall back to clone.
    program += _when(numbers["clone3"], _ALWAYS, _ERRNO | errno.ENOSYS)
    for name, plane, tests in tables.rows("refused.tsv") if refuse else ():
        if plane in planes and name in numbers:
            program += _when(numbers[name], tests, _ERRNO | errno.EPERM)
    for name in sorted(notify):
        if name in numbers:
            program += _when(numbers[name], _NOTIFY_WHEN.get(name, _ALWAYS), _NOTIFY)
    program.append((_RET, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


def _when(number: int, tests: str, answer: int) -> list[Instruction]:
    """Return instructions that give `answer` for a call whose arguments pass all `tests`.

    A test is INDEX&MASK (any bit), INDEX!MASK (no bit) or INDEX=VALUE, on the lower 32 bits, for
    the kernel takes ints from there (CVE-2019-10063). The call's number is in the accumulator
    before and after.
    """
    passed: list[Instruction] = []
    for test in tests.split() if tests != _ALWAYS else ():
        index, sign, value = int(test[0]), test[1], int(test[2:], 0)
        compare, when_true = (_JEQ if sign == "=" else _JSET), sign != "!"
        passed.append((_LD, 0, 0, _ARGUMENTS + 8 * index))
        passed.append((compare, int(not when_true), int(when_true), value))
    passed.append((_RET, 0, 0, answer))
    if len(passed) == 1:
        return [(_JEQ, 0, 1, number), *passed]
    end = len(passed)
    for at, (code, true, false, value) in enumerate(passed):
        if code in (_JEQ, _JSET):  # a failed test skips what is left
            away = end - at - 1
            passed[at] = (code, true * away, false * away, value)
    return [(_JEQ, 0, end + 1, number), *passed, (_LD, 0, 0, _NR)]


def install(program: bytes, *, listener: bool) -> int:
    """Put the filter on the calling thread; return the listener's descriptor, or -1 without one.

    Needs no-new-privileges. Raises OSError EBUSY where an outer supervisor already listens.
    """
    code = ctypes.create_string_buffer(program, len(program))
    header = ctypes.create_string_buffer(
        struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
    )
    if not listener:
        kernel.call("seccomp", _SET_MODE_FILTER, 0, ctypes.addressof(header))
        return -1
    try:
        flags = _NEW_LISTENER | _WAIT_KILLABLE
        return kernel.call("seccomp", _SET_MODE_FILTER, flags, ctypes.addressof(header))
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    return kernel.call("seccomp", _SET_MODE_FILTER, _NEW_LISTENER, ctypes.addressof(header))
