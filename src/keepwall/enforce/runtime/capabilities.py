"""Linux capabilities: what root inside a fence is still allowed to be root for."""

from __future__ import annotations

import ctypes
import struct
from functools import cache

from keepwall.enforce.runtime import kernel, tables
from keepwall.vocabulary.errors import ConfigError

_PR_CAPBSET_DROP = 24
_AROUND = (
    "NET_ADMIN",
    "NET_RAW",
    "SYS_ADMIN",
    "SYS_MODULE",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "BPF",
    "PERFMON",
    "CHECKPOINT_RESTORE",
)
_VERSION_3 = 0x20080522


@cache
def names() -> tuple[str, ...]:
    """Return the names of all capabilities by number (linux/capability.h)."""
    return tuple(name for (name,) in tables.rows("capabilities.txt"))


def numbers(wanted: tuple[str, ...]) -> frozenset[int]:
    """Return the numbers of capabilities given by name, with or without ``CAP_``.

    Raises:
        ConfigError: there is no capability of that name.
    """
    known = {name: number for number, name in enumerate(names())}
    found = set()
    for name in wanted:
        plain = name.upper().removeprefix("CAP_")
        if plain not in known:
            raise ConfigError(f"there is no capability {name!r}", hint="see capabilities(7)")
        found.add(known[plain])
    return frozenset(found)


def harmless() -> frozenset[int]:
    """Return the capabilities that do not lead around a fence of the network plane alone."""
    return frozenset(range(len(names()))) - numbers(_AROUND)


def keep_only(kept: frozenset[int]) -> None:
    """Drop every capability of the calling thread that is not in `kept`, for good."""
    for number in range(len(names())):
        if number not in kept:
            try:
                kernel.prctl(_PR_CAPBSET_DROP, number)
            except OSError:
                break  # unprivileged (nothing to drop), or the kernel knows no more of them
    effective, permitted = _current()
    mask = sum(1 << number for number in kept)
    _set(effective & mask, permitted & mask)


class Narrowed:
    """A context in which the calling thread has no capability in effect that is not in `kept`.

    What is done for a subject is done with no more than the subject has.
    """

    def __init__(self, kept: frozenset[int]) -> None:
        self._effective, self._permitted = _current()
        self._narrow = self._effective & sum(1 << number for number in kept)

    def __enter__(self) -> None:
        if self._narrow != self._effective:
            _set(self._narrow, self._permitted)

    def __exit__(self, *_: object) -> None:
        if self._narrow != self._effective:
            _set(self._effective, self._permitted)


def _current() -> tuple[int, int]:
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    data = ctypes.create_string_buffer(24)
    kernel.call("capget", ctypes.addressof(header), ctypes.addressof(data))
    low_e, low_p, _, high_e, high_p, _ = struct.unpack("=6I", data.raw)
    return low_e | high_e << 32, low_p | high_p << 32


def _set(effective: int, permitted: int) -> None:
    header = ctypes.create_string_buffer(struct.pack("=Ii", _VERSION_3, 0), 8)
    low = 0xFFFFFFFF
    fields = (effective & low, permitted & low, 0, effective >> 32, permitted >> 32, 0)
    data = ctypes.create_string_buffer(struct.pack("=6I", *fields), 24)
    kernel.call("capset", ctypes.addressof(header), ctypes.addressof(data))
