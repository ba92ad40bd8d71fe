"""Starts a command inside its fence: everything is in place before its first instruction."""

from __future__ import annotations

import array  # noqa: F401 - socket.send_fds imports it late, when opens are already watched
import os
import shutil
import signal
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keepwall.enforce.runtime import calls, capabilities, kernel, processes, seccomp
from keepwall.enforce.runtime.landlock import ALL, REFER_SINCE, SIGNALS_SINCE, Ruleset
from keepwall.enforce.runtime.notification import Listener
from keepwall.enforce.runtime.plan import RunPlan
from keepwall.vocabulary.envelope import Mode
from keepwall.vocabulary.errors import ConfigError

_PR_SET_PDEATHSIG = 1
_PR_SET_NO_NEW_PRIVS = 38
_CANNOT_START = 126


@dataclass(frozen=True, slots=True)
class Started:
    """A command that runs: its first process, and the listener that must be served."""

    process: int
    listener: Listener | None


@dataclass(frozen=True, slots=True)
class _Fence:
    """What a child puts on itself, prepared where errors can still be told."""

    ruleset: Ruleset | None
    program: bytes
    listener: bool
    kept: frozenset[int]


def find(command: Sequence[str], environment: Mapping[str, str]) -> str:
    """Return the absolute path of the program that `command` names.

    Raises:
        ConfigError: there is no such program.
    """
    found = shutil.which(command[0], path=environment.get("PATH", os.defpath))
    if found is None:
        raise ConfigError(
            f"there is no program {command[0]!r}", hint="give its path, or check PATH"
        )
    return os.path.abspath(found)


def start(
    command: Sequence[str], plan: RunPlan, environment: Mapping[str, str], *, learning: bool = False
) -> Started:
    """Start `command` as the plan says and return it; the listener must be served at once.

    With `learning` or in observe mode nothing is refused, but all is seen. Capabilities are
    dropped in either case, so that what is learned also works when it is enforced.

    Raises:
        ConfigError: there is no such program.
        OSError: the kernel refused a part of the fence; nothing was started then.
    """
    program = find(command, environment)
    fence = _prepare(plan, learning=learning)
    processes.adopt_orphans()
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
    supervisor = os.getpid()
    child = os.fork()
    if child == 0:
        _become(command, program, environment, fence, theirs, supervisor)
    theirs.close()
    with ours:
        listener = _receive(ours, fence, child)
    return Started(child, listener)


def lay_down(plan: RunPlan) -> None:
    """Give up, in the calling thread for good, the capabilities that the subject does not have.

    The supervisor acts for the subject: what the subject's own capabilities could not open, bind
    or change, it must not get that way either. Looking into its processes stays possible.
    """
    if plan.files is not None:
        process = plan.envelope.process
        kept = capabilities.numbers(process.capabilities if process else ())
        capabilities.keep_only(kept | capabilities.numbers(("SYS_PTRACE", "KILL")))


def _prepare(plan: RunPlan, *, learning: bool) -> _Fence:
    free = learning or plan.envelope.mode is Mode.OBSERVE
    files, network = plan.files is not None, plan.network is not None
    landlock, notify = plan.support.landlock, plan.support.notify
    ruleset = None
    if landlock and not free and (files or landlock >= REFER_SINCE):
        ruleset = Ruleset(landlock, files=files, network=network and notify)
        for path, access in plan.grants if files else (("/", ALL),):
            ruleset.grant(path, access)
    signals = not free and landlock < SIGNALS_SINCE
    watched = calls.watched(files=files, network=network, signals=signals)
    process = plan.envelope.process
    kept = capabilities.numbers(process.capabilities if process else ())
    return _Fence(
        ruleset,
        seccomp.build(
            watched if notify else frozenset(), runtime=files, network=network, refuse=not free
        ),
        listener=bool(watched) and notify,
        kept=kept if files else capabilities.harmless(),
    )


def _become(
    command: Sequence[str],
    program: str,
    environment: Mapping[str, str],
    fence: _Fence,
    channel: socket.socket,
    supervisor: int,
) -> None:
    """Turn this forked child into the command; never returns."""
    try:
        kernel.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(_CANNOT_START)
        for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGPIPE, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        capabilities.keep_only(fence.kept)
        kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1)
        if fence.ruleset is not None:
            fence.ruleset.restrict()
        listener = seccomp.install(fence.program, listener=fence.listener)
        if listener >= 0:
            socket.send_fds(channel, [b"L"], [listener])
            os.close(listener)
        else:
            channel.send(b"-")
        channel.recv(1)
        os.execve(program, list(command), dict(environment))  # noqa: S606 - the whole purpose
    except OSError as error:
        message = f"keepwall: {program} could not be started: {error.strerror}\n"
        os.write(2, message.encode("utf-8", "replace"))
    os._exit(_CANNOT_START)


def _receive(channel: socket.socket, fence: _Fence, child: int) -> Listener | None:
    """Return the child's listener and let the child go on; raises OSError when it failed."""
    data, fds, _, _ = socket.recv_fds(channel, 1, 1)
    if not data or (fence.listener and not fds):
        os.waitpid(child, 0)
        raise OSError("the command could not be fenced, so it was not started")
    listener = Listener(fds[0]) if fds else None
    channel.send(b"G")
    return listener
