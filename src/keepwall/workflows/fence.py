"""Runs a command inside its envelope, or watches it to learn one."""

from __future__ import annotations

import os
import platform
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from keepwall.decide.compilation import Compilation
from keepwall.enforce.runtime import launch, probe
from keepwall.enforce.runtime.compile import plan
from keepwall.enforce.runtime.plan import RunPlan
from keepwall.enforce.runtime.report import EventSink, Reporter
from keepwall.enforce.runtime.supervisor import Supervisor
from keepwall.foundation.clock import Clock
from keepwall.foundation.state import StateDirectory
from keepwall.vocabulary.envelope import Envelope
from keepwall.vocabulary.errors import ConfigError, ConnectError, KeepwallError
from keepwall.vocabulary.event import Event
from keepwall.workflows import connection
from keepwall.workflows.containment_watch import ContainmentWatch
from keepwall.workflows.run_identity import identified, subjects_of
from keepwall.workflows.standing_orders import standing_orders

if TYPE_CHECKING:
    from keepwall.foundation.spool import Spool
    from keepwall.workflows.forward import Forwarder

_SIGNALLED = 128


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a fenced run stands in."""

    state: StateDirectory
    clock: Clock
    say: Callable[[str], None]
    """Takes one line for the person who started the command."""
    config: Path | None = None
    """The configuration file that was named; else that of the current directory counts."""


def node_name() -> str:
    """Return the name of this host as one token of a bus subject."""
    name = "".join(char if char.isalnum() and char.isascii() else "-" for char in platform.node())
    return name or "node"


class _Sinks:
    """Gives every event to the spool, which is made when the first one comes, and onwards.

    A spool that cannot be made costs events, never the run: the fence does not depend on it.
    """

    def __init__(self, state: StateDirectory, say: Callable[[str], None]) -> None:
        self._state = state
        self._say = say
        self._spool: Spool | None = None
        self._lost = 0
        self.onwards: EventSink | None = None

    def emit(self, event: Event) -> None:
        if self._spool is None and not self._lost:
            self._open(event)
        if self._spool is not None:
            self._spool.emit(event)
        else:
            self._lost += 1
        if self.onwards:
            self.onwards.emit(event)

    def close(self) -> int:
        """Close the spool and return how many events were lost."""
        if self._spool is None:
            return self._lost
        self._spool.close()
        return self._spool.lost

    def _open(self, event: Event) -> None:
        # Late on purpose: most runs refuse nothing, and none waits for the OCSF writer.
        from keepwall.foundation.spool import Spool  # noqa: PLC0415

        run = event.id.rsplit(":", 1)[0].replace(":", "-")
        try:
            self._spool = Spool(self._state.ensure().spool, run)
        except ConfigError as error:
            self._say(error.message)


def run(
    command: Sequence[str],
    envelope: Envelope,
    surroundings: Surroundings,
    *,
    accepted: Sequence[str] = (),
) -> int:
    """Run `command` inside `envelope` and return its exit code (128 + n for signal n).

    Raises:
        ConfigError: the envelope is too weak here or about somebody else, the subject is
            contained, or there is no such program. Nothing was started then.
        IntegrityError: the orders on this machine's disk do not hold.
    """
    envelope = identified(
        envelope,
        lambda: launch.find(command, os.environ),
        node_name(),
        surroundings.config,
        surroundings.say,
    )
    orders = standing_orders(envelope, surroundings.state, surroundings.clock)
    if orders.containment:
        raise ConfigError(
            f"{envelope.subject_name} is contained by incident {orders.containment.incident}, "
            "so it does not start",
            hint=f"keepwall incident show {orders.containment.incident}; "
            f"keepwall incident release {orders.containment.incident}",
        )
    compiled = plan(orders.envelope, probe.support())
    Compilation(orders.envelope, compiled.outcomes).require(accepted)
    sinks = _Sinks(surroundings.state, surroundings.say)
    reporter = Reporter(
        orders.envelope,
        orders.generation,
        sinks,
        surroundings.clock,
        node=node_name(),
        say=surroundings.say,
    )
    started = _start(command, compiled)
    launch.lay_down(compiled)
    supervisor = Supervisor.of(compiled, started, reporter)
    contained: list[str] = []

    def contain(incident: str) -> None:
        contained.append(incident)
        supervisor.contain()

    state, clock, say = surroundings.state, surroundings.clock, surroundings.say
    watch = ContainmentWatch(envelope, state, clock, contain, say)
    forwarder = None
    if link := connection.read(surroundings.state):
        forwarder = _forwarder(link, envelope, orders.generation, compiled, surroundings, contain)
        sinks.onwards = forwarder
        forwarder.start()
    try:
        status = _serve(supervisor, started.process, watch)
    finally:
        reporter.close()
        if forwarder:
            forwarder.close()
        if lost := sinks.close():
            surroundings.say(f"{lost} events could not be written to the spool")
    if contained:
        surroundings.say(
            f"stopped: incident {contained[0]} contains {envelope.subject_name}; "
            f"keepwall incident show {contained[0]}"
        )
    return _exit_code(status)


def _forwarder(
    link: connection.Connection,
    envelope: Envelope,
    generation: int,
    compiled: RunPlan,
    surroundings: Surroundings,
    contain: Callable[[str], None],
) -> Forwarder:
    """Return what talks to the control plane; without a key of this node it tells no status."""
    # Late on purpose: without a control plane no start pays for an event loop.
    from keepwall.foundation.trust.signer import installed_signer  # noqa: PLC0415
    from keepwall.foundation.trust.verify import Verifier  # noqa: PLC0415
    from keepwall.workflows.forward import Forwarder  # noqa: PLC0415
    from keepwall.workflows.node_status import NodeStatus, RunStatus, reached  # noqa: PLC0415

    clock, status = surroundings.clock, None
    try:
        signer = installed_signer(surroundings.state.trust, f"node/{link.node}")
        if signer:
            run = f"{os.getpid()}-{clock.now().timestamp():.0f}"
            mine = RunStatus(run, envelope.subject_name, generation, reached(compiled))
            verifier = Verifier(bytes.fromhex(link.root))
            status = NodeStatus(link.node, mine, signer, verifier, clock)
    except KeepwallError as error:
        surroundings.say(f"this run tells no status: {error.message}")
    return Forwarder(link, subjects_of(envelope), clock, contain, status)


def _start(command: Sequence[str], compiled: RunPlan) -> launch.Started:
    try:
        return launch.start(command, compiled, os.environ)
    except OSError as error:
        raise ConnectError(
            f"the command could not be fenced: {error}",
            hint="keepwall doctor says what this kernel offers",
        ) from error


def _serve(supervisor: Supervisor, child: int, pulse: Callable[[], None] | None = None) -> int:
    """Serve until the command ends; the terminal's interrupts are the command's to handle."""

    def forward(number: int, _frame: object) -> None:
        os.kill(child, number)

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.SIG_IGN),
        signal.SIGQUIT: signal.signal(signal.SIGQUIT, signal.SIG_IGN),
        signal.SIGTERM: signal.signal(signal.SIGTERM, forward),
        signal.SIGHUP: signal.signal(signal.SIGHUP, forward),
    }
    try:
        return supervisor.serve(pulse)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _exit_code(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _SIGNALLED - code


def learn(command: Sequence[str], target: Path, surroundings: Surroundings, *, name: str) -> int:
    """Run `command` unrestricted, write the envelope of what it used to `target`.

    Returns the command's exit code. Capabilities are dropped, so that what is learned suffices.

    Raises:
        ConfigError: `target` exists, or cannot be written; there is no such program.
    """
    from keepwall.workflows.learned import observe_plan, write_draft  # noqa: PLC0415 - rarely used

    if target.exists():
        raise ConfigError(
            f"{target} is there already", hint="learn into a new file and compare: envelope diff"
        )
    compiled = observe_plan(name)
    if not compiled.support.notify:
        raise ConnectError("learning needs a seccomp listener, which cannot be had here")
    started = launch.start(command, compiled, os.environ, learning=True)
    supervisor, used = Supervisor.learning(started)
    status = _serve(supervisor, started.process)
    write_draft(used, target, name, surroundings.say)
    return _exit_code(status)
