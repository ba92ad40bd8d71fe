"""Watches a run and remembers what it used; nothing is refused, nothing is decided."""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path

from keepwall.decide.addresses import normal
from keepwall.enforce.runtime import attributes, calls, elf, processes, sockets
from keepwall.enforce.runtime.notification import Listener, StoppedCall
from keepwall.enforce.runtime.own_sockets import OwnSockets, listener_of
from keepwall.enforce.runtime.policy import Use
from keepwall.enforce.runtime.resolve import AT_FDCWD, absolute, in_own_words, resolve, signed

_MOST = 200_000
_UNNAMED: dict[int, str] = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104 - what was seen
_MOST_SCRIPTS = 6
"""How far the kernel follows scripts that name scripts (fs/exec.c, exec_binprm)."""


@dataclass(slots=True)
class Used:
    """What a run used, in the subject's own paths; `overflow` counts what was not remembered."""

    files: dict[Use, set[str]] = field(default_factory=lambda: {use: set() for use in Use})
    changed: set[str] = field(default_factory=set)
    """Paths that were created, removed or renamed, so that their directory must be writable."""
    listed: set[str] = field(default_factory=set)
    """Directories whose names were read."""
    reached: set[tuple[str, int]] = field(default_factory=set)
    offered: set[tuple[str, int]] = field(default_factory=set)
    datagrams: bool = False
    overflow: int = 0

    def add(self, use: Use, path: str) -> None:
        """Remember one path."""
        if len(self.files[use]) < _MOST:
            self.files[use].add(path)
        else:
            self.overflow += 1


class Observer:
    """Answers every call with "proceed", and notes it in `used`."""

    def __init__(self, listener: Listener, used: Used) -> None:
        self._listener = listener
        self._used = used
        self._known: set[tuple[bytes, int]] = set()
        self._own = OwnSockets()

    def answer(self, call: StoppedCall, name: str) -> None:
        """Note one call and let it proceed."""
        with contextlib.suppress(OSError):  # the caller is gone, or its memory cannot be read
            self._note(call, name)
        self._listener.proceed(call)

    def strayed(self, call: StoppedCall) -> bool:
        """Return False: nothing is forbidden here."""
        del call
        return False

    def close(self) -> None:
        """Do nothing: no call is left waiting."""

    def _note(self, call: StoppedCall, name: str) -> None:
        if name in calls.OPENS:
            self._note_open(call, name)
        elif name in ("execve", "execveat"):
            directory, path, follow = calls.program_path(self._listener, call, name)
            self._note_program(call, self._real(call, directory, path, follow=follow))
        elif name in calls.CHANGES:
            for argument in calls.CHANGES[name]:
                directory = (
                    signed(call.arguments[argument.directory])
                    if argument.directory >= 0
                    else AT_FDCWD
                )
                path = self._listener.string(call, call.arguments[argument.path])
                real = self._real(call, directory, path, follow=False)
                self._used.changed.add(real)
                self._used.add(Use.WRITE, real)
        elif name in attributes.SHAPES:
            self._note_attribute(call, name)
        elif name == "socket":
            kind, domain = signed(call.arguments[1]) & 0xF, signed(call.arguments[0])
            self._used.datagrams |= (
                domain in (socket.AF_INET, socket.AF_INET6) and kind == socket.SOCK_DGRAM
            )
        elif name in ("connect", "bind"):
            self._note_address(call, name)
        elif name == "listen":
            self._note_listen(call)

    def _note_open(self, call: StoppedCall, name: str) -> None:
        wanted = calls.parse_open(self._listener, call, name)
        if not wanted.uses:
            return
        if wanted.path.startswith(b"/") and (wanted.path, wanted.flags) in self._known:
            return
        follow = not wanted.flags & os.O_NOFOLLOW
        real = self._real(call, wanted.directory, wanted.path, follow=follow)
        exists = os.path.exists(real)
        if exists and len(self._known) < _MOST:
            self._known.add((wanted.path, wanted.flags))
        if Use.WRITE in wanted.uses and not exists:
            if not wanted.flags & (os.O_CREAT | os.O_TMPFILE):
                return
            self._used.changed.add(real)
        elif not exists:
            return
        if os.path.isdir(real) and Use.WRITE not in wanted.uses:
            self._used.listed.add(real)
            return
        for use in wanted.uses:
            self._add(use, real)

    def _note_program(self, call: StoppedCall, real: str) -> None:
        """Note a program that starts and, where it is a script, what runs it."""
        for _ in range(_MOST_SCRIPTS):
            if not os.path.exists(real):  # a search along PATH asks for many that are not there
                return
            self._add(Use.EXECUTE, real)
            script = os.fsencode(elf.script_interpreter(Path(real)))
            if not script:
                return
            real = self._real(call, AT_FDCWD, script, follow=True)

    def _note_attribute(self, call: StoppedCall, name: str) -> None:
        wanted = attributes.target(self._listener, call, name)
        path = wanted.path or b""  # of a descriptor itself, where there is none
        real = self._real(call, wanted.directory, path, follow=wanted.follow)
        if os.path.lexists(real):
            self._add(attributes.SHAPES[name].use, real)

    def _note_address(self, call: StoppedCall, name: str) -> None:
        size = min(call.arguments[2] & 0xFFFFFFFF, 128)
        endpoint = sockets.parse(self._listener.memory(call, call.arguments[1], size))
        if endpoint.address is None:
            if endpoint.path and not endpoint.abstract:
                real = self._real(call, AT_FDCWD, endpoint.path, follow=name == "connect")
                if name == "bind":
                    self._used.changed.add(real)
                elif not os.path.exists(real):
                    return
                self._used.add(Use.WRITE, real)
        elif name == "connect":
            peer = (str(normal(endpoint.address)), endpoint.port)
            # What listens inside the run may be reached by it anyway.
            loopback = sockets.reached(endpoint).is_loopback
            if not loopback or not self._own.has(listener_of(endpoint.address, endpoint.port)):
                self._used.reached.add(peer)
        else:
            self._own.note(self._socket(call)[1])
            self._used.offered.add((str(endpoint.address), endpoint.port))

    def _note_listen(self, call: StoppedCall) -> None:
        """Note a socket that listens without a name of its own: it gets every address, any port."""
        family, inode = self._socket(call)
        if family in _UNNAMED and not self._own.has(inode):
            self._own.note(inode)
            self._used.offered.add((_UNNAMED[family], 0))

    def _socket(self, call: StoppedCall) -> tuple[int, int]:
        """Return the family and inode of the socket that a call is about."""
        process = processes.group_of(call.thread)
        with socket.socket(fileno=processes.duplicate(process, signed(call.arguments[0]))) as sock:
            return sock.family, os.fstat(sock.fileno()).st_ino

    def _real(self, call: StoppedCall, directory: int, path: bytes, *, follow: bool) -> str:
        process = processes.group_of(call.thread)
        asked = absolute(call.thread, directory, path)
        real = resolve(asked, process=process, thread=call.thread, follow_last=follow)
        return in_own_words(real, processes.belongs)

    def _add(self, use: Use, path: str) -> None:
        self._used.add(use, path)
