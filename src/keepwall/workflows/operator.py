"""Orders of a person at the command line, carried out with or without a running control plane.

Envelopes are signed here and go to store, disk and bus. Containment goes through the control plane
where one answers; where it is dead, the same is done directly, and what that cannot reach is said.
"""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from uuid import uuid4

import msgspec

from keepwall.detect.detections import Detections
from keepwall.formats.envelope.parse import parse
from keepwall.formats.envelope.render import render
from keepwall.foundation.bus.signed import document_name
from keepwall.foundation.bus.snapshot import SnapshotDirectory
from keepwall.foundation.clock import Clock
from keepwall.foundation.ledger.ledger import Ledger
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.store.store import Store
from keepwall.foundation.trust.installed import installed_root
from keepwall.foundation.trust.trust import Trust
from keepwall.prove.record import EvidenceRecorder
from keepwall.respond.narrow import narrowed
from keepwall.vocabulary.envelope import EnvelopeGeneration
from keepwall.vocabulary.errors import ConfigError, ConnectError, KeepwallError
from keepwall.vocabulary.incident import Incident, IncidentState, TimelineEntry
from keepwall.vocabulary.surface import Severity, Surface
from keepwall.workflows import connection, control_api
from keepwall.workflows.burn_the_path import BurnThePath
from keepwall.workflows.documents import Documents
from keepwall.workflows.published import Published, installed_verifier, store_url

ORGANISATION = "keepwall"
DETECTION = "operator"
"""What stands as the detection of an incident that a person opened."""
_BUCKET = "envelopes"
_SIGNED = ("envelopes", "containments")
_BUS_SECONDS = 5.0
_KINDS = ("run:", "spiffe://", "unit:", "image:", "workload:")
_MOST_INCIDENTS = 10_000


@dataclass(frozen=True, slots=True)
class Order:
    """What became of an order; `direct` means that no control plane answered."""

    incident: Incident
    direct: bool


@dataclass(frozen=True, slots=True)
class Operator:
    """One installation in the hands of a person; make it with `at_work`."""

    state: StateDirectory
    clock: Clock
    store: Store
    trust: Trust
    say: Callable[[str], None]

    @property
    def published(self) -> Published:
        """What was published so far."""
        return Published(self.store, self.trust.verifier(), self.clock)

    async def publish(self, uid: str, spec: str, reason: str) -> EnvelopeGeneration:
        """Sign `spec` as the next generation of the envelope `uid`, and return that.

        Raises:
            ConfigError: `spec` is no envelope.
            FormatError: it is too large for a document.
            IntegrityError: another one was published at the same moment.
        """
        parse(spec.encode(), uid)
        documents = self._documents()
        generation = documents.generation(_BUCKET, uid) + 1
        document = EnvelopeGeneration(uid, generation, spec, reason)
        await documents.put(_BUCKET, uid, msgspec.to_builtins(document), generation)
        await self._on_the_bus(uid)
        return document

    async def roll_back(self, uid: str, number: int) -> EnvelopeGeneration:
        """Publish the content of generation `number` anew; 0 of a narrowing denies nothing.

        Raises:
            ConfigError: that generation is not kept.
        """
        return await self.publish(uid, self.earlier(uid, number), f"rolled back to {number}")

    def earlier(self, uid: str, number: int) -> str:
        """Return the text of generation `number`; see `roll_back`."""
        name, narrowing, _ = uid.partition("#")
        if narrowing and number == 0:
            return render(narrowed(None, name, []))
        return self.published.generation(uid, number).document.spec

    async def contain(self, target: str) -> Order:
        """Contain an incident's subject, or a subject by its name.

        A subject without an open incident gets one, opened by the operator.

        Raises:
            ConfigError: `target` is neither an incident here nor the name of a subject.
        """
        incident = self.store.incidents.get(target) or self._of_subject(target)
        return await self._order("contain", incident)

    async def release(self, incident: str) -> Order:
        """Lift the containment of an incident.

        Raises:
            ConfigError: there is no such incident.
        """
        found = self.store.incidents.get(incident)
        if found is None:
            raise ConfigError(
                f"there is no incident {incident}", hint="keepwall incident list shows them"
            )
        return await self._order("release", found)

    async def _order(self, verb: str, incident: Incident) -> Order:
        link = connection.read(self.state)
        if link is not None and link.api:
            try:
                return Order(control_api.order(link, incident.id, verb), direct=False)
            except control_api.UnansweredError as error:
                self.say(f"{error.message}; acting directly")
        with self._burn() as burn:
            if verb == "contain":
                await burn.contain(incident.subject, incident.id)
            else:
                await burn.release(incident.id)
        return Order(self.store.incidents.get(incident.id) or incident, direct=True)

    def _of_subject(self, subject: str) -> Incident:
        """Return the newest incident of a subject that is not closed, or open one."""
        if not subject.startswith(_KINDS):
            raise ConfigError(
                f"{subject} is no incident here, and no name of a subject",
                hint="keepwall incident list shows the incidents; a subject is run:NAME, "
                "spiffe://…, unit:NAME, image:DIGEST or workload:NAMESPACE/LABELS",
            )
        found = [
            incident
            for state in (IncidentState.OPEN, IncidentState.CONTAINED)
            for incident in self.store.incidents.list(state=state, limit=_MOST_INCIDENTS)
            if incident.subject == subject
        ]
        if found:
            return max(found, key=lambda incident: incident.opened_at)
        if not self.store.events.list(subject=subject, limit=1):
            self.say(f"nothing was ever seen of {subject}: make sure that it is spelled so")
        now = self.clock.now()
        incident = Incident(
            id=f"inc-{now:%Y%m%d}-{uuid4().hex[:8]}",
            title="Contained by the operator",
            severity=Severity.HIGH,
            surface=Surface.AGENT,
            subject=subject,
            detection=DETECTION,
            opened_at=now,
            timeline=(TimelineEntry(now, "opened", "opened by the operator to contain it"),),
        )
        self.store.incidents.open(incident)
        return incident

    @contextmanager
    def _burn(self) -> Iterator[BurnThePath]:
        """Give the story without a bus; the ledger has one writer, so nothing is done twice."""
        try:
            ledger = Ledger(self.state.ledger / "control", self.trust.signer("ledger"), self.clock)
        except ConfigError as error:
            raise ConnectError(
                f"a control plane is at work that does not answer ({error.message})",
                hint="wait until keepwall up is ready, or end it; then give the order again",
            ) from error
        with ledger:
            yield BurnThePath(
                store=self.store,
                documents=self._documents(),
                detections=Detections.of(()),
                evidence=EvidenceRecorder(ledger, self.clock),
                clock=self.clock,
                notify=_nobody,
            )

    def _documents(self) -> Documents:
        snapshots = SnapshotDirectory(self.state.snapshots)
        return Documents(self.store, snapshots, lambda: self.trust.signer("control"))

    async def _on_the_bus(self, uid: str) -> None:
        """Hand the newest document to the bus of a running control plane, if there is one."""
        link = connection.read(self.state)
        stored = self.store.documents.get(_BUCKET, uid)
        if link is None or stored is None:
            return
        # Late on purpose: without a control plane no order pays for the client.
        from keepwall.foundation.bus.nats import NatsBus  # noqa: PLC0415

        try:
            tls = ssl.create_default_context(cafile=link.ca)
            tls.load_cert_chain(link.certificate, link.key)
            bus = await NatsBus.connect(
                link.url, tls, name="keepwall-operator", patience=_BUS_SECONDS
            )
            try:
                await bus.put(_BUCKET, document_name(uid), stored[1])
            finally:
                await bus.close()
        except (KeepwallError, OSError) as error:
            self.say(f"the bus did not take it ({error}): others learn of it at the next start")


@contextmanager
def at_work(
    state: StateDirectory, clock: Clock, say: Callable[[str], None], *, store: str = ""
) -> Iterator[Operator]:
    """Give the operator of the installation in `state`, which is made first if there is none.

    `store` is the URL of a store that is not the default one.

    Raises:
        ConfigError: documents were signed here, but the keys are gone; or keys or store cannot be
            used.
    """
    state.ensure()
    with Store.open(store_url(state, store)) as opened:
        if installed_root(state.trust) is None and any(map(opened.documents.list, _SIGNED)):
            installed_verifier(state)  # raises: keys that are gone are not replaced unasked
        trust = Trust.open_or_create(state.trust, ORGANISATION, clock)
        yield Operator(state, clock, opened, trust, say)


def _nobody(what: str, number: int, value: object) -> None:
    """Tell nobody: no console listens."""
    del what, number, value
