"""An installation with something in it, some of it hostile, and planes that obey."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from keepwall.foundation.clock import Clock, SystemClock
from keepwall.foundation.store.store import Store
from keepwall.prove.record import EvidenceRecorder
from keepwall.server.live import LiveFeed
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.errors import ConnectError
from keepwall.vocabulary.event import Activity, Event, EventClass, Process
from keepwall.vocabulary.fact import Unread
from keepwall.vocabulary.finding import Finding, fingerprint
from keepwall.vocabulary.incident import Incident, IncidentState, TimelineEntry
from keepwall.vocabulary.scan import ScanInfo, ScanResult
from keepwall.vocabulary.surface import Severity, Surface
from keepwall.workflows.triage import TriageOrder, triage

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
HOSTILE = "\x1b[2J<img src=x onerror=alert(1)>\u202egnp.\udcff'\"&{{7*7}}.ipynb"
SUBJECT = "spiffe://acme.example/agent/claims"


class MovableClock:
    """A clock that tests set forward."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> datetime:
        return self.time

    def forward(self, step: timedelta) -> None:
        self.time += step


class Records:
    """A ledger that keeps what it is given."""

    def __init__(self) -> None:
        self.records: list[bytes] = []

    def append(self, records: list[bytes]) -> list[int]:
        self.records.extend(records)
        return list(range(len(self.records) - len(records), len(self.records)))


class Planes:
    """Planes that obey at once and write it into the incident, or do not answer."""

    def __init__(self, store: Store, live: LiveFeed, clock: Clock | None = None) -> None:
        self.clock = clock or SystemClock()
        self.ledger = Records()
        self._store = store
        self._live = live
        self.reachable = True
        self.contained: dict[str, str] = {}

    async def contain(self, subject: str, incident: str) -> None:
        self._reach()
        self.contained[incident] = subject
        self._write(incident, "contained", f"{subject} is contained", IncidentState.CONTAINED)

    async def release(self, incident: str) -> None:
        self._reach()
        self.contained.pop(incident, None)
        self._write(incident, "released", "The containment is lifted", IncidentState.OPEN)

    async def triage(self, order: TriageOrder, actor: str) -> None:
        self._reach()
        evidence = EvidenceRecorder(self.ledger, self.clock)
        triage(self._store, evidence, self.clock, order, actor)
        self._live.publish("finding", 0, order.state.value)

    def _reach(self) -> None:
        if not self.reachable:
            raise ConnectError("the bus does not answer", hint="is keepwall up still running?")

    def _write(self, incident: str, kind: str, text: str, state: IncidentState) -> None:
        self._store.incidents.add(incident, TimelineEntry(NOW, kind, text), state=state)
        self._live.publish("incident", 0, incident)


def assets() -> tuple[Asset, ...]:
    return (
        Asset(
            AssetKind.AGENT,
            "agents/claims.py#claims",
            "claims agent",
            Surface.AGENT,
            (Location("agents/claims.py", 12), Location("deploy/claims.yaml", 3)),
            owner="claims-team",
            zone="production",
            attributes={"framework": "langgraph"},
        ),
        Asset(
            AssetKind.MODEL_FILE,
            "sha256:" + "ab" * 32,
            "scorer.pkl",
            Surface.REGISTRY,
            (Location("models/scorer.pkl"),),
            attributes={"format": "pickle"},
        ),
        Asset(AssetKind.NOTEBOOK, HOSTILE, HOSTILE, Surface.NOTEBOOK, (Location(HOSTILE),)),
        Asset(
            AssetKind.ENDPOINT,
            "http://10.2.0.7:8000/v1",
            "10.2.0.7:8000",
            Surface.INFERENCE,
            (Location("deploy/vllm.yaml", 40),),
        ),
    )


def findings() -> tuple[Finding, ...]:
    agent, model, notebook, endpoint = assets()

    def one(rule: str, title: str, severity: Severity, asset: Asset, fix: str) -> Finding:
        place = asset.locations[0]
        return Finding(
            rule,
            title,
            severity,
            asset.surface,
            asset.id,
            place,
            f"{title} at {place}",
            "Whoever can reach it can use what it is allowed to do.\nThat is more than it needs.",
            fix,
            fingerprint(rule, asset.id, place.path, title),
            {"MITRE ATLAS": ["AML.T0010"], "OWASP LLM 2025": ["LLM03:2025", "LLM06:2025"]},
        )

    return (
        one(
            "model-executes",
            "Model runs code when it is loaded",
            Severity.CRITICAL,
            model,
            "Convert it to safetensors:\n\n    python -m safetensors.convert scorer.pkl",
        ),
        one(
            "agent-shell",
            "Agent may run any shell command",
            Severity.HIGH,
            agent,
            "Name the programs that it needs.",
        ),
        one(
            "endpoint-open",
            "Inference endpoint takes calls from anyone",
            Severity.HIGH,
            endpoint,
            "Put the gateway before it.",
        ),
        one(
            "notebook-output",
            f"Notebook {HOSTILE} keeps a token in its output",
            Severity.MEDIUM,
            notebook,
            "Clear the outputs and rotate the token.",
        ),
        one("model-owner", "Model has no owner", Severity.LOW, model, "Add a CODEOWNERS line."),
        one(
            "endpoint-name",
            "Endpoint is addressed by number",
            Severity.INFO,
            endpoint,
            "Give it a name.",
        ),
    )


def event(
    number: int, effect: Effect = Effect.DENY, subject: str = SUBJECT, target: str = ""
) -> Event:
    denied = effect is Effect.DENY
    return Event(
        f"node-1:boot:{number}",
        EventClass.NETWORK,
        Activity.CONNECT,
        NOW + timedelta(seconds=number),
        "node-1",
        subject,
        target or f"203.0.113.{number % 250}:443",
        effect,
        Plane.NETWORK,
        Tier.CGROUP,
        Strength.PREVENTED if denied else Strength.SEEN_ONLY,
        "egress to an address that the envelope does not name" if denied else "egress",
        Severity.HIGH if denied else Severity.INFO,
        Process(4321, "/usr/bin/python3.11", "python3.11 -m claims", "claims", 99),
        rule="network.egress",
        envelope="claims-agent",
        generation=3,
    )


def incident(name: str = "inc-1", title: str = "Agent sends restricted data out") -> Incident:
    return Incident(
        name,
        title,
        Severity.CRITICAL,
        Surface.AGENT,
        SUBJECT,
        "exfiltration-after-read",
        NOW,
        events=("node-1:boot:1", "node-1:boot:2"),
        timeline=(
            TimelineEntry(NOW, "read", "/models/claims/training was read", "node-1:boot:1"),
            TimelineEntry(
                NOW + timedelta(seconds=2),
                "refused",
                "203.0.113.2:443 was refused",
                "node-1:boot:2",
            ),
            TimelineEntry(
                NOW + timedelta(seconds=3),
                "evidence",
                "The refusal is in the ledger",
                "ledger:control-plane/17",
            ),
        ),
    )


def before(scan: ScanInfo) -> ScanResult:
    """Return the scan of the day before: another owner, a dataset that is gone, fewer findings."""
    agent, model, notebook, endpoint = assets()
    dataset = Asset(AssetKind.DATASET, "hf/claims-2025", "claims-2025", Surface.DATA)
    day = timedelta(days=1)
    info = replace(
        scan, id="scan-0", started_at=scan.started_at - day, finished_at=scan.finished_at - day
    )
    earlier = (replace(agent, owner="nobody"), model, notebook, endpoint, dataset)
    return ScanResult(earlier, (), findings()[1:], (), info)


def fill(store: Store) -> None:
    """Record two scans, eight events and an incident."""
    agent, model, notebook, endpoint = assets()
    relations = (
        Relation(agent.id, RelationKind.USES, model.id),
        Relation(agent.id, RelationKind.CALLS, endpoint.id),
        Relation(notebook.id, RelationKind.READS, model.id),
    )
    scan = ScanInfo(
        "scan-1", "/srv/claims it's", NOW, NOW + timedelta(seconds=4), "0.1", 812, 9_000_000, 64, 2
    )
    unread = (
        Unread(f"data/{HOSTILE}", "larger than the limit"),
        Unread("models/x.onnx", "permission denied"),
    )
    store.scans.record(before(scan))
    store.scans.record(ScanResult(assets(), relations, findings(), unread, scan))
    effects = (Effect.DENY, Effect.ALLOW, Effect.AUDIT)
    store.events.append([event(number, effects[number % 3]) for number in range(8)])
    store.incidents.open(incident())
