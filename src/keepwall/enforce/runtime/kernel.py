"""System calls that Python has no function for, by number, on the two supported machines."""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Mapping
from functools import cache
from typing import Any

from keepwall.enforce.runtime import tables
from keepwall.vocabulary.errors import ConnectError

AUDIT_ARCH: Mapping[str, int] = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""The value of `seccomp_data.arch` on each machine (linux/audit.h)."""


@cache
def machine() -> str:
    """Return the name of this machine's instruction set.

    Raises:
        ConnectError: Keepwall has no system call numbers for it.
    """
    name = platform.machine()
    if name not in AUDIT_ARCH or os.uname().sysname != "Linux":
        raise ConnectError(
            f"the runtime plane needs Linux on x86_64 or aarch64, not {os.uname().sysname} {name}",
            hint="scan and up work here; run workloads on a Linux host",
        )
    return name


@cache
def numbers() -> Mapping[str, int]:
    """Return the system call numbers of this machine by name."""
    column = 1 if machine() == "x86_64" else 2
    rows = tables.rows("syscalls.tsv")
    return {row[0]: int(row[column]) for row in rows if row[column] != "-"}


@cache
def _library() -> Any:
    """Return the C library, with a typed `syscall`: untyped varargs would cut pointers."""
    library = ctypes.CDLL(None, use_errno=True)
    library.syscall.restype = ctypes.c_long
    library.syscall.argtypes = [ctypes.c_long] + [ctypes.c_void_p] * 6
    return library


def call(name: str, *arguments: int | None) -> int:
    """Make the system call `name` and return its result.

    Raises:
        OSError: the kernel refused it; `errno` says how.
    """
    padded = [*arguments, *([None] * (6 - len(arguments)))]
    result = int(_library().syscall(numbers()[name], *padded))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{name}: {os.strerror(code)}")
    return result


def prctl(option: int, *arguments: int) -> int:
    """Make a prctl call with unused arguments zero, as newer options demand."""
    return call("prctl", option, *arguments, *([0] * (4 - len(arguments))))
