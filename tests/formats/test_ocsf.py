"""OCSF: every event survives the round trip, and the records are what the standard says."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ocsf_samples import AT, EVENT, EVENTS, FINDING, INCIDENT
from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding
from py_ocsf_models.events.findings.detection_finding import DetectionFinding
from py_ocsf_models.objects.compliance_status import StatusID
from py_ocsf_models.objects.metadata import Metadata

from keepwall.formats import ocsf
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.event import Activity, Event, EventClass, Process
from keepwall.vocabulary.incident import IncidentState
from keepwall.vocabulary.surface import Severity

GOLDEN = Path(__file__).parents[1] / "golden" / "ocsf"
SCHEMA = json.loads((GOLDEN / "schema-1.5.0.json").read_bytes())
"""The classes that we write and the objects in them, restated from the schema's repository."""


def check(record: Mapping, kind: Mapping, profiles: set[str], place: str = "$") -> None:
    """Check a record or object against what the schema says about its class or object."""
    attributes = kind["attributes"]
    assert set(record) <= set(attributes), place
    for name, fact in attributes.items():
        here = f"{place}.{name}"
        applies = fact.get("profile") in (None, *profiles)
        assert name in record or not (fact.get("required") and applies), f"{here} is required"
        if name not in record:
            continue
        assert applies, f"{here} needs profile {fact['profile']}"
        values = record[name] if fact.get("array") else [record[name]]
        assert isinstance(values, list), here
        for value in values:
            check_value(value, fact, profiles, here)
    for name, among in kind["constraints"].items():
        present = sum(each in record for each in among)
        assert present >= 1 if name == "at_least_one" else present == 1, f"{place}: {among}"


def check_value(value: object, fact: Mapping, profiles: set[str], here: str) -> None:
    kind = fact["type"]
    if kind in SCHEMA["objects"]:
        assert isinstance(value, Mapping), here
        check(value, SCHEMA["objects"][kind], profiles, here)
    elif kind in ("integer_t", "long_t", "timestamp_t", "port_t"):
        assert type(value) is int, here
    elif kind in ("object", "json_t"):
        assert isinstance(value, Mapping), here
    elif kind == "boolean_t":
        assert isinstance(value, bool), here
    else:
        assert kind.endswith("_t"), f"{here} is a {kind}, which the table does not hold"
        assert isinstance(value, str), here
    if isinstance(value, int) and "enum" in fact:
        assert value in fact["enum"], here


def validate(record: Mapping) -> None:
    kind = SCHEMA["classes"][str(record["class_uid"])]
    check(record, kind, set(record["metadata"].get("profiles", ())))
    assert record["category_uid"] == kind["category_uid"]
    assert str(record["activity_id"]) in kind["activities"]
    assert record["type_uid"] == record["class_uid"] * 100 + record["activity_id"]


def golden(name: str, record: Mapping) -> None:
    """Compare with the committed record; a missing one is a failure that prints it."""
    text = json.dumps(record, indent=1, sort_keys=True) + "\n"
    path = GOLDEN / f"{name}.json"
    assert path.exists(), text
    assert text == path.read_text()


@pytest.mark.parametrize("name", EVENTS)
def test_events_are_what_the_schema_says(name: str):
    record = ocsf.encode(EVENTS[name], version="1.2.3")
    validate(record)
    golden(name, record)
    assert ocsf.decode(record) == EVENTS[name]


@pytest.mark.parametrize("event_class", EventClass)
@pytest.mark.parametrize("activity", Activity)
def test_every_class_and_activity_is_valid(event_class: EventClass, activity: Activity):
    event = replace(EVENT, event_class=event_class, activity=activity, target="a:1")
    validate(ocsf.encode(event, version=""))
    bare = Event(
        "i", event_class, activity, AT, "n", "", "", Effect.ALLOW, Plane.ACCESS, Tier.NONE,
        Strength.BLIND, "",
    )  # fmt: skip
    validate(ocsf.encode(bare, version=""))
    assert ocsf.decode(ocsf.encode(bare, version="")) == bare


def test_activity_numbers_mean_the_same_word_in_the_schema():
    captions = {
        str(event_class.value): {
            activity.value: SCHEMA["classes"][str(event_class.value)]["activities"][str(number)]
            for activity, number in table.items()
        }
        for event_class, table in ocsf.ACTIVITY_IDS.items()
    }
    assert captions["1001"] == {
        "create": "Create", "read": "Read", "write": "Update", "delete": "Delete"
    }  # fmt: skip
    assert captions["1007"] == {"execute": "Launch", "exit": "Terminate"}
    assert captions["4001"] == {"connect": "Open", "close": "Close", "listen": "Listen"}
    assert captions["4003"] == {"call": "Query"}
    assert captions["3002"] == {"login": "Logon", "logout": "Logoff"}
    assert captions["3005"] == {"grant": "Assign Privileges", "revoke": "Revoke Privileges"}
    assert captions["6003"] == {
        "create": "Create", "read": "Read", "update": "Update", "delete": "Delete"
    }  # fmt: skip
    for finding in ("2002", "2003", "2004", "2005"):
        assert captions[finding] == {"create": "Create", "update": "Update", "close": "Close"}


@pytest.mark.parametrize(
    ("effect", "strength", "action", "disposition"),
    [
        (Effect.ALLOW, Strength.PREVENTED, 1, 1),
        (Effect.DENY, Strength.PREVENTED, 2, 2),
        (Effect.DENY, Strength.KILLED_LATE, 99, 99),
        (Effect.DENY, Strength.SEEN_ONLY, 3, 15),
        (Effect.DENY, Strength.BLIND, 3, 15),
        (Effect.AUDIT, Strength.PREVENTED, 3, 15),
    ],
)
def test_no_more_is_claimed_than_was_reached(
    effect: Effect, strength: Strength, action: int, disposition: int
):
    record = ocsf.encode(replace(EVENT, effect=effect, strength=strength), version="")
    assert (record["action_id"], record["disposition_id"]) == (action, disposition)


def test_a_reader_that_we_did_not_write_reads_a_finding():
    record = ocsf.encode_finding(FINDING, AT, version="1.2.3")
    validate(record)
    golden("posture-finding", record)
    read = ComplianceFinding.model_validate_json(json.dumps(record))
    assert read.metadata.version == "1.5.0"
    assert read.severity_id.name == "Critical"
    assert read.type_uid == 200301
    assert read.finding_info.uid == FINDING.fingerprint
    assert read.compliance.control == "KW-NB-001"
    assert read.compliance.status_id is StatusID.Fail
    assert read.compliance.requirements == [
        "OWASP-LLM LLM03", "MITRE-ATLAS AML.T0049", "MITRE-ATLAS AML.T0012"
    ]  # fmt: skip
    assert read.remediation is not None
    assert read.remediation.desc == "set a password"
    assert read.resources is not None
    assert read.resources[0].uid == "notebook:work/train.ipynb"
    assert read.resources[0].data == {"path": "work/jupyter_server_config.py", "line": 12}
    assert read.time == int(AT.timestamp() * 1_000)


def test_a_reader_that_we_did_not_write_reads_a_detection():
    record = ocsf.encode(EVENTS["detection"], version="1.2.3")
    # That reader wants an address and a region of every device, which the schema does not.
    del record["device"]
    read = DetectionFinding.model_validate_json(json.dumps(record))
    assert read.finding_info.analytic is not None
    assert read.finding_info.analytic.uid == "kw-d-017"
    assert read.metadata.uid == EVENT.id


@pytest.mark.parametrize("name", EVENTS)
def test_a_reader_that_we_did_not_write_reads_the_metadata(name: str):
    record = ocsf.encode(EVENTS[name], version="1.2.3")
    read = Metadata.model_validate_json(json.dumps(record["metadata"]))
    assert read.product.name == "Keepwall"
    assert read.product.version == "1.2.3"
    assert read.uid == EVENT.id
    assert read.correlation_uid == "inc-9"


@pytest.mark.parametrize("state", IncidentState)
def test_incidents_are_what_the_schema_says(state: IncidentState):
    record = ocsf.encode_incident(replace(INCIDENT, state=state), AT, version="1.2.3")
    validate(record)
    golden(f"incident-{state}", record)


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
TARGETS = (
    "10.0.0.1:443 [::1]:8080 ::1:80 [fe80::1%eth0]:1 gateway.internal:443 a:65536 a:00 /a/ / "
    "[10.0.0.1]:1 *:443 host: :1 [x]:1 0:0 1:2:3 [::1]"
)
TARGET = TEXT | st.sampled_from(TARGETS.split())
NATURAL = st.integers(0, 2**63 - 1)
EVENT_STRATEGY = st.builds(
    Event,
    id=TEXT.filter(bool),
    event_class=st.sampled_from(EventClass),
    activity=st.sampled_from(Activity),
    at=st.integers(0, 4_102_444_800_000).map(
        lambda number: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=number)
    ),
    node=TEXT,
    subject=TEXT,
    target=TARGET,
    effect=st.sampled_from(Effect),
    plane=st.sampled_from(Plane),
    tier=st.sampled_from(Tier),
    strength=st.sampled_from(Strength),
    message=TEXT,
    severity=st.sampled_from(Severity),
    process=st.builds(
        Process, pid=NATURAL, path=TEXT, command_line=TEXT, user=TEXT, started=NATURAL
    ),
    rule=TEXT,
    envelope=TEXT,
    generation=NATURAL,
    incident=TEXT,
    count=st.integers(1, 2**63 - 1),
)


@given(EVENT_STRATEGY)
def test_an_event_survives_the_round_trip(event: Event):
    record = ocsf.encode(event, version="1")
    assert ocsf.decode(record) == event
    assert ocsf.decode(json.loads(json.dumps(record))) == event


@given(st.lists(EVENT_STRATEGY, max_size=5))
def test_a_batch_survives_the_round_trip(events: list[Event]):
    assert ocsf.decode_batch(ocsf.encode_batch(events)) == events


@given(EVENT_STRATEGY)
def test_every_encoded_event_is_valid(event: Event):
    validate(ocsf.encode(event, version="1"))


def test_times_of_other_zones_and_with_microseconds_become_milliseconds():
    zoned = AT.astimezone(timezone(timedelta(hours=5, minutes=45))) + timedelta(microseconds=999)
    assert ocsf.decode(ocsf.encode(replace(EVENT, at=zoned), version="")).at == AT


def test_a_file_name_of_bad_bytes_does_not_silence_the_event():
    name = b"/tmp/\xff\xfe".decode("utf-8", "surrogateescape")
    event = replace(
        EVENT,
        target=name,
        process=Process(1, name, name, name),
        rule="\ud800",
        message=name,
        subject=name,
    )
    read = ocsf.decode_batch(ocsf.encode_batch([event]))[0]
    assert read.target == r"/tmp/\udcff\udcfe"
    assert read.process.path == read.target


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        (("metadata", "uid"), None, "metadata.uid"),
        (("metadata", "uid"), 5, "metadata.uid"),
        (("class_uid",), 9_999, "class_uid"),
        (("class_uid",), "file", "class_uid"),
        (("activity_id",), 77, "activity_id"),
        (("activity_id",), 99, "activity_name"),
        (("time",), -1, "time"),
        (("time",), 10**18, "time"),
        (("severity_id",), 0, "severity_id"),
        (("severity_id",), 6, "severity_id"),
        (("count",), 0, "count"),
        (("device",), [], "device"),
        (("unmapped", "keepwall", "plane"), "moon", "unmapped.keepwall.plane"),
        (("unmapped", "keepwall"), ..., "unmapped.keepwall"),
        (("unmapped",), ..., "unmapped"),
        (("metadata", "uid"), ..., "metadata.uid"),
        (("actor", "process", "pid"), 2**70, "actor.process.pid"),
        (("message",), "x" * 300_000, "message"),
    ],
)
def test_a_bad_field_is_named(path: tuple[str, ...], value: object, place: str):
    record = json.loads(json.dumps(ocsf.encode(EVENT, version="")))
    record["activity_name"] = "no such thing"
    inner = record
    for step in path[:-1]:
        inner = inner[step]
    if value is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = value
    with pytest.raises(FormatError) as caught:
        ocsf.decode(record)
    assert caught.value.place == place
    assert str(caught.value).startswith(place)


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"null",
        b"[]",
        b"{",
        b"\xff\xfe",
        b'{"class_uid":1001}',
        b'{"class_uid":1001,"x":' + b"[" * 100_000,
        b'{"class_uid":1001,"x":"' + b"\xff" * 10 + b'"}',
        b'{"class_uid":1e400}',
    ],
)
def test_a_bad_record_in_a_batch_is_named_by_its_index(bad: bytes):
    good = ocsf.encode_batch([EVENT])
    with pytest.raises(FormatError) as caught:
        ocsf.decode_batch(good + good + bad + b"\n" + good)
    assert caught.value.place.startswith("record 2")


@given(st.binary(max_size=200))
def test_bytes_that_are_no_batch_are_a_format_error(payload: bytes):
    if payload:
        with pytest.raises(FormatError, match=r"^record [0-9]+"):
            ocsf.decode_batch(payload)
    else:
        assert ocsf.decode_batch(payload) == []


def test_batches_are_bounded():
    with pytest.raises(FormatError, match="bytes"):
        ocsf.encode_batch([replace(EVENT, message="x" * 1_000)] * 900)
    with pytest.raises(FormatError, match="events"):
        ocsf.encode_batch([EVENT] * (ocsf.MAX_BATCH_EVENTS + 1))
    with pytest.raises(FormatError, match="larger"):
        ocsf.decode_batch(b" " * (ocsf.MAX_BATCH_BYTES + 1))
    with pytest.raises(FormatError, match="more than"):
        ocsf.decode_batch(b"\n" * (ocsf.MAX_BATCH_EVENTS + 2))
    assert ocsf.decode_batch(b"") == []


def test_a_batch_is_json_lines_for_any_reader():
    lines = ocsf.encode_batch([EVENT, EVENTS["network"]]).splitlines()
    assert [json.loads(line)["class_uid"] for line in lines] == [1001, 4001]
    assert msgspec.json.decode(lines[1])["dst_endpoint"] == {"ip": "2001:db8::1", "port": 443}


def test_it_loads_nothing_heavy():
    program = "import sys, keepwall.formats.ocsf; print(sorted(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    loaded = answer.stdout.decode()
    for heavy in ("asyncio", "ssl", "py_ocsf_models", "pydantic", "nats", "cryptography"):
        assert f"'{heavy}'" not in loaded
