"""Notebook token theft: a shared notebook reads the cloud key of whoever runs it and sends it off.

Without Keepwall it succeeds. With it: the read is seen, the sending is refused, the incident opens,
the notebook is stopped and does not start again, the envelope is narrowed, and then the same theft
and three variants of it cannot even read the key, while the honest notebook still works. The last
replay happens with the control plane killed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from keepwall.formats.envelope.parse import parse
from keepwall.formats.envelope.render import render
from keepwall.foundation.clock import SystemClock
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.store.store import Store
from keepwall.foundation.trust.trust import Trust
from keepwall.prove.record import EvidenceRecorder
from keepwall.range.receiver import Receiver
from keepwall.range.report import Listens, Report, Step
from keepwall.range.world import Finished, World
from keepwall.vocabulary.decision import Effect, Strength
from keepwall.vocabulary.envelope import PathRule
from keepwall.vocabulary.errors import ConfigError
from keepwall.vocabulary.event import Activity, Event
from keepwall.vocabulary.evidence import Evidence
from keepwall.vocabulary.incident import Incident, IncidentState
from keepwall.vocabulary.surface import Surface

_SUBJECT = "run:notebook"
_VARIANTS = {
    "variant_proc_root": "through /proc/self/root",
    "variant_symlink": "through a symbolic link",
    "variant_child": "another file of the place, in a child process",
}
_CONTAINED, _REFUSED_START = 137, 125


class NotebookTokenTheft:
    """The scenario; see the module."""

    name = "notebook-token-theft"
    surface = Surface.NOTEBOOK
    summary = "a shared notebook reads a cloud key and sends it to an attacker"

    def run(self, tell: Listens, evidence: str = "") -> Report:
        """Run all steps; raises ConfigError or ConnectError when the world cannot be built."""
        report = Report(self.name, self.surface)
        with World() as world, Receiver() as receiver:
            _Run(world, receiver, report, tell).play(evidence)
        return report


class _Run:
    """One run in one world."""

    def __init__(self, world: World, receiver: Receiver, report: Report, tell: Listens) -> None:
        self._world = world
        self._receiver = receiver
        self._report = report
        self._tell = tell
        self._envelope = world.root / "notebook.yaml"

    def play(self, evidence: str) -> None:
        world = self._world
        (world.project / "claims.csv").write_text("id,amount\n1,120\n2,80\n3,100\n")
        port = str(self._receiver.port)
        benign = world.notebook("benign")
        attack = world.notebook("attack", port=port)
        if not self._control_run(attack):
            return  # an attack that does not work without defence proves nothing with it
        self._learn(benign)
        world.start_control_plane()
        self._benign("the honest notebook inside its envelope", benign)
        incident = self._attack(attack)
        if incident is None:
            return
        self._born_contained(benign)
        self._replay("the same theft again", attack)
        for name, how in _VARIANTS.items():
            self._replay(f"variant: {how}", world.notebook(name, port=port))
        self._benign("the honest notebook in the narrowed envelope", benign)
        world.kill_control_plane()
        self._replay("the theft with the control plane killed", attack, alive=False)
        self._evidence(incident, evidence)

    def _step(
        self,
        name: str,
        expected: str,
        act: Callable[[], tuple[bool, str]],
        *,
        replay: bool = False,
    ) -> bool:
        began = time.monotonic()
        held, happened = act()
        step = Step(name, expected, happened, held, time.monotonic() - began, replay)
        self._report.steps.append(step)
        self._tell(step)
        return held

    def _control_run(self, attack: Path) -> bool:
        def act() -> tuple[bool, str]:
            finished = self._world.run(self._world.jupyter(attack))
            stolen = self._receiver.has(self._world.canary)
            self._receiver.received.clear()
            return stolen, "the key arrived" if stolen else f"nothing arrived: {_last(finished)}"

        return self._step("control run, no defence", "the theft succeeds", act)

    def _learn(self, benign: Path) -> None:
        def act() -> tuple[bool, str]:
            command = self._world.jupyter(benign)
            finished = self._world.keepwall(
                "run", "--name", "notebook", "--learn", str(self._envelope), "--", *command
            )
            if finished.code != 0 or not self._envelope.exists():
                return False, f"no envelope: {_last(finished)}"
            learned = parse(self._envelope.read_bytes(), str(self._envelope))
            if learned.file is None:
                return False, "the envelope has no file section"
            # What teams do: the whole home readable, because the next notebook needs more of it.
            home = PathRule(f"{self._world.home}/**")
            file = replace(learned.file, read=(*learned.file.read, home))
            self._envelope.write_text(render(replace(learned, file=file)))
            rules = len(file.read) + len(file.write)
            return True, f"{rules} path rules learned, home made readable by hand"

        self._step("learn an envelope from the honest notebook", "an envelope is written", act)

    def _benign(self, name: str, benign: Path) -> None:
        def act() -> tuple[bool, str]:
            result = self._world.project / "result.json"
            result.unlink(missing_ok=True)
            finished = self._fenced(benign)
            try:
                found = json.loads(result.read_text())
            except (OSError, ValueError):
                return False, f"no result: {_last(finished)}"
            return found == {"mean": 100.0, "rows": 3}, "its result is right"

        self._step(name, "its result is right", act)

    def _attack(self, attack: Path) -> Incident | None:
        opened: list[Incident] = []

        def act() -> tuple[bool, str]:
            finished = self._fenced(attack)
            incident = self._wait_for_incident()
            if self._receiver.has(self._world.canary):
                return False, "the key left"
            if incident is None:
                return False, f"no incident: {_last(finished)}"
            opened.append(incident)
            late = (incident.opened_at - incident.timeline[0].at).total_seconds()
            stopped = finished.code == _CONTAINED
            text = f"nothing left; incident after {late * 1000:.0f} ms; notebook "
            return stopped and late < 1, text + ("stopped" if stopped else f"ended {finished.code}")

        self._step("the theft, first time", "seen, refused to send, stopped within a second", act)
        return opened[0] if opened else None

    def _born_contained(self, benign: Path) -> None:
        def act() -> tuple[bool, str]:
            code = self._fenced(benign).code
            return code == _REFUSED_START, f"exit code {code}"

        self._step("start it again", "a contained subject does not start", act)

    def _replay(self, name: str, notebook: Path, *, alive: bool = True) -> None:
        def act() -> tuple[bool, str]:
            self._release_all()
            before = {event.id for event in self._events()}
            stolen = self._world.project / "stolen.txt"
            stolen.unlink(missing_ok=True)
            finished = self._fenced(notebook)
            if self._receiver.has(self._world.canary) or stolen.exists():
                return False, "the key was read"
            if self._world.canary in finished.output:
                return False, "the key was printed"
            if not alive:
                refused = "denied by this envelope" in finished.output
                return refused, "the read was prevented" if refused else _last(finished)
            refused_events = self._wait_for_refusal(before)
            if not refused_events:
                return False, f"no refusal was reported: {_last(finished)}"
            strength = refused_events[0].strength
            return strength is Strength.PREVENTED, f"the read was {strength}"

        if not alive:
            self._release_all()
        self._step(name, "the key cannot even be read", act, replay=True)

    def _evidence(self, incident: Incident, target: str) -> None:
        bundle = Path(target) if target else self._world.root / "evidence.bundle"

        def act() -> tuple[bool, str]:
            self._record(incident)
            exported = self._world.keepwall("evidence", "export", "-o", str(bundle))
            verified = self._world.keepwall("evidence", "verify", str(bundle))
            if exported.code or verified.code:
                return False, _last(verified if not exported.code else exported)
            if incident.id not in bundle.read_text("utf-8", "replace"):
                return False, f"no record is about {incident.id}"
            return True, verified.output.strip().splitlines()[0]

        def tampered() -> tuple[bool, str]:
            copy = self._world.root / "tampered.bundle"
            data = bytearray(bundle.read_bytes())
            at = data.rfind(b"narrowed")
            data[at] ^= 1
            copy.write_bytes(data)
            finished = self._world.keepwall("evidence", "verify", str(copy))
            named = "record" in finished.output
            return finished.code == 1 and named, _last(finished)

        self._step("verify the evidence offline", "every record holds", act)
        self._step("change one byte of it", "refused, and the record is named", tampered)
        if target:
            self._report.evidence = target

    def _record(self, incident: Incident) -> None:
        """Add to the ledger what the replays showed; the control plane is dead, its lock free."""
        clock = SystemClock()
        trust = Trust.open(self._world.state.trust, clock)
        directory = self._world.state.ledger / "control"
        with Ledger(directory, trust.signer("ledger"), clock) as ledger:
            recorder = EvidenceRecorder(ledger, clock)
            for number, step in enumerate(self._report.steps):
                if not step.replay:
                    continue
                recorder.record(
                    Evidence(
                        id=f"{incident.id}-replay-{number}",
                        control="range.replay",
                        about=incident.id,
                        at=clock.now(),
                        outcome="held" if step.held else "did not hold",
                        strength=Strength.PREVENTED if step.held else Strength.SEEN_ONLY,
                        detail={"scenario": self._report.scenario, "step": step.name},
                    )
                )
            ledger.head()

    def _fenced(self, notebook: Path) -> Finished:
        return self._world.keepwall(
            "run", "--envelope", str(self._envelope), "--", *self._world.jupyter(notebook)
        )

    def _store(self) -> Store:
        return Store.open(self._world.state.database_url)

    def _events(self) -> list[Event]:
        with self._store() as store:
            return [each.event for each in store.events.list(subject=_SUBJECT, limit=500)]

    def _wait_for_incident(self) -> Incident | None:
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            with self._store() as store:
                for incident in store.incidents.list(state=IncidentState.CONTAINED):
                    if any(entry.kind == "narrowing" for entry in incident.timeline):
                        return incident
            time.sleep(0.05)
        return None

    def _wait_for_refusal(self, before: set[str]) -> list[Event]:
        place = f"{self._world.home}/.aws/"
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            found = [
                event
                for event in self._events()
                if event.id not in before
                and event.activity is Activity.READ
                and event.effect is Effect.DENY
                and event.target.startswith(place)
            ]
            if found:
                return found
            time.sleep(0.05)
        return []

    def _release_all(self) -> None:
        """Release what is contained, as an operator would who wants to see the replay."""
        time.sleep(0.3)  # let the last run's incident arrive
        with suppress(ConfigError), self._store() as store:
            contained = store.incidents.list(state=IncidentState.CONTAINED)
        for incident in contained:
            self._world.keepwall("incident", "release", incident.id)


def _last(finished: Finished) -> str:
    """Return the last line that a command said, for a report."""
    lines = [line for line in finished.output.splitlines() if line.strip()]
    return (lines[-1] if lines else f"exit code {finished.code}")[:200]
