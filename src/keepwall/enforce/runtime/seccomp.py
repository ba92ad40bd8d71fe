"""Seccomp: a filter that refuses what no envelope allows and hands the rest to the supervisor.

The filter looks at system call numbers and register arguments only: what is behind a pointer can
change after it was read (seccomp_unotify(2)), so nothing behind a pointer is ever decided here.
"""

from __future__ import annotations

import ctypes
import errno
import struct
from collections.abc import Mapping

from keepwall.enforce.runtime import kernel, tables

_LD, _JEQ, _JGE, _JSET, _RET = 0x20, 0x15, 0x35, 0x45, 0x06
_ALLOW, _NOTIFY, _ERRNO, _KILL = 0x7FFF0000, 0x7FC00000, 0x00050000, 0x80000000
_NR, _ARCH, _ARGUMENTS = 0, 4, 16
_X32_BIT = 0x40000000
_SET_MODE_FILTER = 1
_NEW_LISTENER, _WAIT_KILLABLE = 1 << 3, 1 << 5

Instruction = tuple[int, int, int, int]


def _refused() -> Mapping[str, tuple[int, int]]:
    """Return the flag tests of data/refused.tsv: name → (argument index, mask); mask 0 = always."""
    return {row[0]: (int(row[1]), int(row[2], 0)) for row in tables.rows("refused.tsv")}


def build(notify: frozenset[str], *, network: bool, refuse: bool = True) -> bytes:
    """Return the filter as an array of `struct sock_filter`.

    `notify` names the system calls that the supervisor sees; without `refuse` (observing) nothing
    else is touched. With `network`, sending to an
    address that no connect has named (MSG_FASTOPEN, addressed sendto) is refused. A foreign
    instruction set kills the process, for its numbers mean something else.
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
    for name, (index, mask) in _refused().items():
        if not refuse or name not in numbers or name in notify:
            continue
        if name.startswith("send") and not network:
            continue
        # clone3 passes its flags behind a pointer; ENOSYS makes libc fall back to clone.
        answer = _ERRNO | (errno.ENOSYS if name == "clone3" else errno.EPERM)
        if mask == 0:
            program += [(_JEQ, 0, 1, numbers[name]), (_RET, 0, 0, answer)]
        else:
            program += [
                (_JEQ, 0, 4, numbers[name]),
                (_LD, 0, 0, _ARGUMENTS + 8 * index),
                (_JSET, 0, 1, mask),
                (_RET, 0, 0, answer),
                (_RET, 0, 0, _ALLOW),
            ]
    for name in sorted(notify):
        if name in numbers:
            program += [(_JEQ, 0, 1, numbers[name]), (_RET, 0, 0, _NOTIFY)]
    program.append((_RET, 0, 0, _ALLOW))
    return b"".join(struct.pack("=HBBI", *instruction) for instruction in program)


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
