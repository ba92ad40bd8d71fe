"""One event of every class, a finding and an incident."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Activity, Event, EventClass, Process
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.incident import Incident, IncidentState, TimelineEntry
from keepwall.vocabulary.surface import Severity, Surface

AT = datetime(2026, 3, 1, 12, 30, 15, 250_000, tzinfo=UTC)
EVENT = Event(
    id="node-1:6f1c:42",
    event_class=EventClass.FILE,
    activity=Activity.READ,
    at=AT,
    node="node-1",
    subject="spiffe://acme.example/agent/claims",
    target="/models/claims/training/set.parquet",
    effect=Effect.DENY,
    plane=Plane.RUNTIME,
    tier=Tier.LSM,
    strength=Strength.PREVENTED,
    message="read of a training file refused",
    severity=Severity.HIGH,
    process=Process(4_711, "/usr/bin/python3.11", "python3 agent.py", "claims", 123_456),
    rule="file.deny[0]",
    envelope="claims-agent",
    generation=7,
    incident="inc-9",
    count=3,
)
EVENTS: Mapping[str, Event] = {
    "file": EVENT,
    "process": replace(
        EVENT,
        event_class=EventClass.PROCESS,
        activity=Activity.EXECUTE,
        target="/tmp/miner",
        tier=Tier.CGROUP,
        strength=Strength.KILLED_LATE,
        message="exec killed",
    ),
    "network": replace(
        EVENT,
        event_class=EventClass.NETWORK,
        activity=Activity.CONNECT,
        target="[2001:db8::1]:443",
        plane=Plane.NETWORK,
        message="connect refused",
    ),
    "dns": replace(
        EVENT,
        event_class=EventClass.DNS,
        activity=Activity.CALL,
        target="exfil.example",
        strength=Strength.SEEN_ONLY,
        message="name asked",
    ),
    "api": replace(
        EVENT,
        event_class=EventClass.API,
        activity=Activity.CALL,
        target="github/search_issues",
        plane=Plane.TOOLS,
        tier=Tier.PROXY,
        message="tool call refused",
    ),
    "authentication": replace(
        EVENT,
        event_class=EventClass.AUTHENTICATION,
        activity=Activity.LOGIN,
        effect=Effect.ALLOW,
        target="console",
        plane=Plane.ACCESS,
        message="signed in",
        process=Process(),
    ),
    "grant": replace(
        EVENT,
        event_class=EventClass.GRANT,
        activity=Activity.REVOKE,
        target="registry/claims",
        plane=Plane.ACCESS,
        message="grant revoked",
    ),
    "vulnerability": replace(
        EVENT, event_class=EventClass.VULNERABILITY_FINDING, activity=Activity.CREATE, target="lib"
    ),
    "compliance": replace(
        EVENT, event_class=EventClass.COMPLIANCE_FINDING, activity=Activity.UPDATE, target="x"
    ),
    "detection": replace(
        EVENT,
        event_class=EventClass.DETECTION_FINDING,
        activity=Activity.CREATE,
        target="workload:ml/app=scorer",
        rule="kw-d-017",
    ),
    "incident": replace(
        EVENT, event_class=EventClass.INCIDENT, activity=Activity.CLOSE, target="inc-9"
    ),
}
FINDING = Finding(
    rule="KW-NB-001",
    title="A notebook server without a password",
    severity=Severity.CRITICAL,
    surface=Surface.NOTEBOOK,
    asset="notebook:work/train.ipynb",
    location=Location("work/jupyter_server_config.py", 12),
    message="the token is empty",
    why="anyone who reaches the port runs code",
    fix="set a password",
    fingerprint="0123456789abcdef0123456789abcdef",
    mappings={"OWASP-LLM": ["LLM03"], "MITRE-ATLAS": ["AML.T0049", "AML.T0012"]},
)
INCIDENT = Incident(
    id="inc-9",
    title="Training data left the claims agent",
    severity=Severity.HIGH,
    surface=Surface.AGENT,
    subject="spiffe://acme.example/agent/claims",
    detection="kw-d-017",
    opened_at=AT,
    state=IncidentState.CONTAINED,
    events=("node-1:6f1c:42", "node-1:6f1c:43"),
    timeline=(TimelineEntry(AT, "event", "read refused", "node-1:6f1c:42"),),
)
