"""Builders of rules, examples and events for the tests of detection."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from keepwall.detect.condition import compile_condition
from keepwall.detect.fields import Record, field_table
from keepwall.formats.sigma import read_sigma
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.event import Activity, Event, EventClass, Process

RULE_ID = "0b7c2f0a-1111-4222-8333-944455556666"
READ = Event(
    id="node-1:boot:1",
    event_class=EventClass.FILE,
    activity=Activity.READ,
    at=datetime(2026, 11, 22, tzinfo=UTC),
    node="node-1",
    subject="run:claims",
    target="/home/ana/.aws/credentials",
    effect=Effect.DENY,
    plane=Plane.RUNTIME,
    tier=Tier.LANDLOCK,
    strength=Strength.PREVENTED,
    message="reading is not in this envelope",
    process=Process(4711, "/usr/bin/python3.11", "python3 agent.py", "ana", 99),
    rule="file.read:default",
)
START = replace(
    READ, event_class=EventClass.PROCESS, activity=Activity.EXECUTE, target="/usr/bin/bash"
)
CONNECT = replace(
    READ,
    event_class=EventClass.NETWORK,
    activity=Activity.CONNECT,
    target="169.254.169.254:80",
    plane=Plane.NETWORK,
)


def rule_text(detection: dict[str, Any], category: str = "file_access", **changes: Any) -> str:
    rule = {
        "title": "A test",
        "id": RULE_ID,
        "level": "high",
        "logsource": {"category": category, "product": "keepwall"},
        "detection": detection,
        "keepwall": {"surface": "agent", "response": "alert"},
        **changes,
    }
    return yaml.safe_dump(
        {key: value for key, value in rule.items() if value is not None}, sort_keys=False
    )


def holds(detection: dict[str, Any], event: Event, category: str = "file_access") -> bool:
    document = read_sigma(rule_text(detection, category).encode(), "rule.yml")
    return compile_condition(document, field_table().categories[category].fields)(Record(event))


def write_rule(
    folder: Path, text: str, examples: str | None = None, name: str = "odd_read"
) -> Path:
    file = folder / f"{name}.yml"
    file.write_text(text, "utf-8")
    if examples is not None:
        (folder / f"{name}.examples.yaml").write_text(examples, "utf-8")
    return file
