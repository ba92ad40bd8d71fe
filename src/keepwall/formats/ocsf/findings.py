"""Posture findings and incidents as OCSF findings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from keepwall.formats.ocsf.terms import SEVERITY_IDS, metadata_of, milliseconds, plain
from keepwall.vocabulary.event import EventClass
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.incident import Incident, IncidentState
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.surface import Severity

_CREATE, _UPDATE, _CLOSE = 1, 2, 3
_RULE = 1
_FAIL = 3
_NEW = 1
_INCIDENT_IDS: Mapping[IncidentState, tuple[int, int, str]] = {
    IncidentState.OPEN: (_CREATE, 1, "New"),
    IncidentState.CONTAINED: (_UPDATE, 2, "In Progress"),
    IncidentState.CLOSED: (_CLOSE, 5, "Closed"),
}
"""`activity_id`, `status_id` and `status` of an incident."""


def encode_finding(finding: Finding, at: datetime, *, version: str = "") -> dict[str, JsonValue]:
    """Return a posture finding, seen at `at`, as an OCSF Compliance Finding (2003).

    The fingerprint is ``finding_info.uid``, so repeated sightings fall together in the reader.
    """
    path = plain(finding.location.path)
    requirements = [
        f"{framework} {control}"
        for framework, controls in finding.mappings.items()
        for control in controls
    ]
    return {
        **_head(EventClass.COMPLIANCE_FINDING, _CREATE, finding.severity, at, version),
        "message": plain(finding.message),
        "status_id": _NEW,
        "status": "New",
        "finding_info": {
            "uid": finding.fingerprint,
            "title": plain(finding.title),
            "desc": plain(finding.why),
            "types": [finding.surface.value],
            "analytic": {"uid": finding.rule, "name": finding.rule, "type_id": _RULE},
        },
        "compliance": {
            "control": finding.rule,
            "standards": list(finding.mappings),
            "requirements": requirements,
            "status_id": _FAIL,
            "status": "Fail",
        },
        "remediation": {"desc": plain(finding.fix)},
        "resources": [
            {
                "uid": plain(finding.asset),
                "name": plain(finding.asset.partition(":")[2]),
                "type": finding.asset.partition(":")[0],
                "data": {"path": path, "line": finding.location.line},
            }
        ],
    }


def encode_incident(incident: Incident, at: datetime, *, version: str = "") -> dict[str, JsonValue]:
    """Return the state of an incident at `at` as an OCSF Incident Finding (2005)."""
    activity, status, name = _INCIDENT_IDS[incident.state]
    timeline: list[JsonValue] = [
        {
            "time": milliseconds(entry.at),
            "kind": entry.kind,
            "text": plain(entry.text),
            "reference": entry.reference,
        }
        for entry in incident.timeline
    ]
    return {
        **_head(EventClass.INCIDENT, activity, incident.severity, at, version),
        "message": plain(incident.title),
        "start_time": milliseconds(incident.opened_at),
        "status_id": status,
        "status": name,
        # The class wants an assignee or a group; Keepwall does not assign people.
        "assignee_group": {"name": "unassigned"},
        "finding_info_list": [
            {
                "uid": incident.id,
                "title": plain(incident.title),
                "types": [incident.surface.value],
                "analytic": {
                    "uid": incident.detection,
                    "name": incident.detection,
                    "type_id": _RULE,
                },
                "created_time": milliseconds(incident.opened_at),
                "related_events": [{"uid": event} for event in incident.events],
            }
        ],
        "unmapped": {
            "keepwall": {
                "subject": plain(incident.subject),
                "state": incident.state.value,
                "timeline": timeline,
            }
        },
    }


def _head(
    event_class: EventClass, activity: int, severity: Severity, at: datetime, version: str
) -> dict[str, JsonValue]:
    return {
        "class_uid": int(event_class),
        "category_uid": event_class // 1000,
        "activity_id": activity,
        "type_uid": event_class * 100 + activity,
        "severity_id": SEVERITY_IDS[severity],
        "time": milliseconds(at),
        "metadata": metadata_of(version),
    }
