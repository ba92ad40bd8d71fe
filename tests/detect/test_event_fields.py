from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sigma_texts import CONNECT, READ, START, holds

from keepwall.detect.fields import Kind, Record, field_table, peer
from keepwall.vocabulary.event import Activity, Event, EventClass, Process

EVERYWHERE = {
    "User": "ana",
    "ProcessId": "4711",
    "Effect": "deny",
    "Strength": "prevented",
    "Tier": "landlock",
    "Subject": "run:claims",
    "Rule": "file.read:default",
    "Envelope": "",
    "Node": "node-1",
}
FIELDS = [
    (
        "file_access",
        READ,
        {
            "TargetFilename": "/home/ana/.aws/credentials",
            "Image": "/usr/bin/python3.11",
            "CommandLine": "python3 agent.py",
            "Activity": "read",
            "Plane": "runtime",
        },
    ),
    (
        "process_creation",
        START,
        {
            "TargetFilename": "/usr/bin/bash",
            "Image": "/usr/bin/bash",
            "ParentImage": "/usr/bin/python3.11",
            "ParentCommandLine": "python3 agent.py",
            "Activity": "execute",
            "Plane": "runtime",
        },
    ),
    (
        "network_connection",
        CONNECT,
        {
            "DestinationIp": "169.254.169.254",
            "DestinationPort": "80",
            "DestinationHostname": "",
            "Image": "/usr/bin/python3.11",
            "CommandLine": "python3 agent.py",
            "Activity": "connect",
            "Plane": "network",
        },
    ),
]


@pytest.mark.parametrize(("category", "event", "own"), FIELDS, ids=[row[0] for row in FIELDS])
def test_every_field_of_a_category(category: str, event: Event, own: dict[str, str]) -> None:
    fields = field_table().categories[category].fields
    record = Record(event)
    assert {name: record[field.text] for name, field in fields.items()} == {**EVERYWHERE, **own}


def test_the_table_speaks_only_of_events_that_exist() -> None:
    for category in field_table().categories.values():
        assert isinstance(category.event_class, EventClass)
        assert all(isinstance(each, Activity) for each in category.activities)
        assert {field.kind for field in category.fields.values()} <= set(Kind)


@pytest.mark.parametrize(
    ("target", "host", "port"),
    [
        ("10.2.0.5:5432", ipaddress.ip_address("10.2.0.5"), 5432),
        ("[fd00:ec2::254]:80", ipaddress.ip_address("fd00:ec2::254"), 80),
        ("[::ffff:169.254.169.254]:80", ipaddress.ip_address("169.254.169.254"), 80),
        ("[fe80::1%eth0]:22", ipaddress.ip_address("fe80::1"), 22),
        ("api.acme.example:443", "api.acme.example", 443),
        ("/run/docker.sock", None, None),
        ("/run/odd:80", None, None),
        ("10.2.0.5", None, None),
        ("10.2.0.5:", None, None),
        ("10.2.0.5:70000", None, None),
        ("10.2.0.5:٣", None, None),
        ("10.2.0.5:-1", None, None),
        (":80", None, None),
        ("", None, None),
    ],
)
def test_peer(target: str, host: object, port: int | None) -> None:
    assert peer(target) == (host, port)


@given(st.text(), st.text(max_size=5))
def test_no_target_breaks_matching(target: str, command: str) -> None:
    event = replace(CONNECT, target=target, process=Process(1, target, command, command))
    for category in field_table().categories.values():
        record = Record(event)
        for field in category.fields.values():
            assert record[field.folded] == record[field.text].casefold()
            record[field.text].encode("utf-8")


def test_a_stray_byte_in_a_name_hides_nothing() -> None:
    event = replace(READ, target="/home/\udcff/.aws/credentials")
    for condition in ("/.aws/credentials", "*/home/?*/.aws/credentials"):
        selection = {"TargetFilename|endswith": condition}
        assert holds({"s": selection, "condition": "s"}, event)
    assert holds({"s": {"TargetFilename|re": r"\.aws/"}, "condition": "s"}, event)
    assert holds({"s": {"TargetFilename|re": r"^/home/[^/]+/\.aws"}, "condition": "s"}, event)


def test_a_value_is_read_once_per_event() -> None:
    asked = []

    def read(event: Event) -> str:
        asked.append(event.id)
        return event.target

    record = Record(READ)
    assert record[read] == record[read] == READ.target
    assert asked == [READ.id]
