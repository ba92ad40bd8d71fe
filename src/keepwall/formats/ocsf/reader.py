"""OCSF records to events: hostile input, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated

import msgspec

from keepwall.formats.ocsf.terms import ACTIVITY_IDS, OTHER
from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.event import Activity, Event, EventClass, Process
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.surface import Severity

_MISSING = re.compile(r"missing required field `([^`]*)`")
_Text = Annotated[str, msgspec.Meta(max_length=262_144)]
_Natural = Annotated[int, msgspec.Meta(ge=0, le=2**63 - 1)]
_Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=253_402_300_799_999)]


class _Named(msgspec.Struct):
    """Any OCSF object of which only a name, an id or a path is read."""

    name: _Text = ""
    uid: _Text = ""
    path: _Text = ""
    hostname: _Text = ""
    operation: _Text = ""


class _Endpoint(msgspec.Struct):
    ip: _Text = ""
    hostname: _Text = ""
    port: Annotated[int, msgspec.Meta(ge=0, le=65_535)] | None = None
    svc_name: _Text = ""


class _Process(msgspec.Struct):
    pid: _Natural = 0
    path: _Text = ""
    cmd_line: _Text = ""
    user: _Named = msgspec.field(default_factory=_Named)
    file: _Named = msgspec.field(default_factory=_Named)


class _Actor(msgspec.Struct):
    process: _Process = msgspec.field(default_factory=_Process)
    app_uid: _Text = ""


class _Metadata(msgspec.Struct):
    uid: _Text
    correlation_uid: _Text = ""


class _Ours(msgspec.Struct):
    """What OCSF has no word for."""

    plane: Plane
    tier: Tier
    strength: Strength
    effect: Effect
    rule: _Text = ""
    envelope: _Text = ""
    generation: _Natural = 0
    started: _Natural = 0
    target: _Text = ""


class _Unmapped(msgspec.Struct):
    keepwall: _Ours


class Record(msgspec.Struct):
    """The part of a record that an `Event` is made of; what else a record holds is passed over."""

    class_uid: EventClass
    activity_id: int
    severity_id: Annotated[int, msgspec.Meta(ge=1, le=5)]
    time: _Milliseconds
    metadata: _Metadata
    device: _Named
    unmapped: _Unmapped
    actor: _Actor = msgspec.field(default_factory=_Actor)
    activity_name: _Text = ""
    message: _Text = ""
    count: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] = 1
    file: _Named = msgspec.field(default_factory=_Named)
    process: _Process = msgspec.field(default_factory=_Process)
    dst_endpoint: _Endpoint = msgspec.field(default_factory=_Endpoint)
    query: _Named = msgspec.field(default_factory=_Named)
    api: _Named = msgspec.field(default_factory=_Named)
    service: _Named = msgspec.field(default_factory=_Named)
    resource: _Named = msgspec.field(default_factory=_Named)
    resources: Annotated[list[_Named], msgspec.Meta(max_length=1_000)] = []


def decode(record: Mapping[str, JsonValue]) -> Event:
    """Return the event that `record` (an OCSF record written by `encode`) describes.

    Raises:
        FormatError: a field is missing or wrong; `place` names it, such as ``metadata.uid``.
    """
    try:
        return event_of(msgspec.convert(record, Record))
    except msgspec.ValidationError as error:
        raise format_error(error) from None


def _activity(record: Record) -> Activity:
    if record.activity_id == OTHER:
        try:
            return Activity(record.activity_name)
        except ValueError:
            raise FormatError("names no activity", place="activity_name") from None
    for activity, number in ACTIVITY_IDS[record.class_uid].items():
        if number == record.activity_id:
            return activity
    raise FormatError(f"{record.activity_id} is not used in this class", place="activity_id")


def _target_of(record: Record) -> str:
    match record.class_uid:
        case EventClass.FILE:
            return record.file.path
        case EventClass.PROCESS:
            return record.process.file.path
        case EventClass.NETWORK:
            end = record.dst_endpoint
            if end.port is None:
                return end.svc_name
            host = end.hostname or (f"[{end.ip}]" if ":" in end.ip else end.ip)
            return f"{host}:{end.port}"
        case EventClass.DNS:
            return record.query.hostname
        case EventClass.API:
            return record.api.operation
        case EventClass.AUTHENTICATION:
            return record.service.name
        case EventClass.GRANT:
            return record.resource.name
        case EventClass.INCIDENT:
            return record.unmapped.keepwall.target
    return record.resources[0].uid if record.resources else ""


def event_of(record: Record) -> Event:
    """Return the event of a record whose fields have been checked.

    Raises:
        FormatError: the activity is none of its class.
    """
    ours, actor = record.unmapped.keepwall, record.actor
    process = actor.process
    return Event(
        id=record.metadata.uid,
        event_class=record.class_uid,
        activity=_activity(record),
        at=datetime.fromtimestamp(record.time // 1_000, UTC).replace(
            microsecond=record.time % 1_000 * 1_000
        ),
        node=record.device.hostname,
        subject=actor.app_uid,
        target=_target_of(record),
        effect=ours.effect,
        plane=ours.plane,
        tier=ours.tier,
        strength=ours.strength,
        message=record.message,
        severity=tuple(Severity)[record.severity_id - 1],
        process=Process(
            pid=process.pid,
            path=process.path,
            command_line=process.cmd_line,
            user=process.user.name,
            started=ours.started,
        ),
        rule=ours.rule,
        envelope=ours.envelope,
        generation=ours.generation,
        incident=record.metadata.correlation_uid,
        count=record.count,
    )


def format_error(error: Exception, place: str = "") -> FormatError:
    """Return the error with the field as place, taken from msgspec's ``... - at `$.a.b` ``."""
    text, _, path = str(error).partition(" - at `$")
    missing = _MISSING.search(text)
    steps = (path.rstrip("`"), missing[1] if missing else "")
    field = ".".join(step.strip(".") for step in steps if step)
    where = ": ".join(part for part in (place, field) if part)
    return FormatError(f"not an OCSF record of ours: {text}", place=where)
