"""Events to OCSF records."""

from __future__ import annotations

import ipaddress
import posixpath
import re

from keepwall.formats.ocsf.terms import (
    ACTIVITY_IDS,
    OTHER,
    SEVERITY_IDS,
    metadata_of,
    milliseconds,
    plain,
)
from keepwall.vocabulary.decision import Effect, Strength
from keepwall.vocabulary.event import Activity, Event, EventClass, Process
from keepwall.vocabulary.json_value import JsonValue

_ALLOWED, _DENIED, _OBSERVED = (1, "Allowed"), (2, "Denied"), (3, "Observed")
_BLOCKED, _DETECTED = (2, "Blocked"), (15, "Detected")
_ADDRESS = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:]+)):(0|[1-9][0-9]{0,4})")
_LAST_PORT = 65_535


def encode(event: Event, *, version: str) -> dict[str, JsonValue]:
    """Return `event` as an OCSF record; `version` is that of the product."""
    class_id = event.event_class
    activity = ACTIVITY_IDS[class_id].get(event.activity, OTHER)
    metadata = metadata_of(version, uid=plain(event.id), profiles=("host", "security_control"))
    if event.incident:
        metadata["correlation_uid"] = plain(event.incident)
    record: dict[str, JsonValue] = {
        "class_uid": int(class_id),
        "category_uid": class_id // 1000,
        "activity_id": activity,
        "activity_name": event.activity.value,
        "type_uid": class_id * 100 + activity,
        "severity_id": SEVERITY_IDS[event.severity],
        "time": milliseconds(event.at),
        "message": plain(event.message),
        "count": event.count,
        "metadata": metadata,
        "device": {"hostname": plain(event.node), "type_id": 0},
        "actor": _actor(event),
        **_verdict(event),
        **_target(event),
        "unmapped": {"keepwall": _ours(event)},
    }
    if event.envelope:
        record["policy"] = {"name": plain(event.envelope), "version": str(event.generation)}
    return record


def _ours(event: Event) -> dict[str, JsonValue]:
    ours: dict[str, JsonValue] = {
        "plane": event.plane.value,
        "tier": event.tier.value,
        "strength": event.strength.value,
        "effect": event.effect.value,
    }
    if event.rule:
        ours["rule"] = plain(event.rule)
    if event.envelope:
        ours["envelope"] = plain(event.envelope)
    if event.generation:
        ours["generation"] = event.generation
    if event.process.started:
        ours["started"] = event.process.started
    if event.event_class is EventClass.INCIDENT:
        ours["target"] = plain(event.target)
    return ours


def _verdict(event: Event) -> dict[str, JsonValue]:
    """Return action and disposition (security_control profile): never more than was reached."""
    if event.effect is Effect.ALLOW:
        action, disposition = _ALLOWED, _ALLOWED
    elif event.effect is Effect.AUDIT or event.strength.rank <= Strength.SEEN_ONLY.rank:
        action, disposition = _OBSERVED, _DETECTED
    elif event.strength is Strength.PREVENTED:
        action, disposition = _DENIED, _BLOCKED
    else:
        action = disposition = (OTHER, event.strength.value)
    return {
        "action_id": action[0],
        "action": action[1],
        "disposition_id": disposition[0],
        "disposition": disposition[1],
    }


def _process(process: Process) -> dict[str, JsonValue]:
    record: dict[str, JsonValue] = {"pid": process.pid}
    if process.path:
        record["path"] = plain(process.path)
        record["name"] = plain(posixpath.basename(process.path))
    if process.command_line:
        record["cmd_line"] = plain(process.command_line)
    if process.user:
        record["user"] = {"name": plain(process.user)}
    return record


def _actor(event: Event) -> dict[str, JsonValue]:
    actor: dict[str, JsonValue] = {"process": _process(event.process)}
    if event.subject:
        actor["app_uid"] = plain(event.subject)
    return actor


def _file(path: str) -> dict[str, JsonValue]:
    return {"name": posixpath.basename(path) or path, "path": path, "type_id": 0}


def _endpoint(target: str) -> dict[str, JsonValue]:
    """Return an endpoint for ``address:port`` or ``[v6]:port``; anything else is a service name."""
    match = _ADDRESS.fullmatch(target)
    if match is None or int(match[3]) > _LAST_PORT:
        return {"svc_name": target}
    host, port = match[1] or match[2], int(match[3])
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return {"svc_name": target} if match[1] else {"hostname": host, "port": port}
    if isinstance(address, ipaddress.IPv6Address) != bool(match[1]):
        return {"svc_name": target}
    return {"ip": host, "port": port}


def _target(event: Event) -> dict[str, JsonValue]:
    """Return the attributes of the class that say what the event was done to."""
    target = plain(event.target)
    here: dict[str, JsonValue] = {"hostname": plain(event.node)}
    match event.event_class:
        case EventClass.FILE:
            return {"file": _file(target)}
        case EventClass.PROCESS:
            return {"process": {"pid": event.process.pid, "file": _file(target)}}
        case EventClass.NETWORK:
            return {"dst_endpoint": _endpoint(target), "src_endpoint": here}
        case EventClass.DNS:
            return {"query": {"hostname": target}, "src_endpoint": here}
        case EventClass.API:
            return {"api": {"operation": target}, "src_endpoint": here}
        case EventClass.AUTHENTICATION:
            return {"user": {"uid": plain(event.subject)}, "service": {"name": target}}
        case EventClass.GRANT:
            return {
                "user": {"uid": plain(event.subject)},
                "privileges": [plain(event.rule) or event.activity.value],
                "resource": {"name": target},
            }
        case EventClass.INCIDENT:
            return _finding(event)  # its class has no resources; see `_ours`
    return {"resources": [{"uid": target}], **_finding(event)}


def _finding(event: Event) -> dict[str, JsonValue]:
    """Return what the finding classes require besides the resource."""
    info: dict[str, JsonValue] = {"uid": plain(event.id), "title": plain(event.message)}
    if event.rule:
        info["analytic"] = {"name": plain(event.rule), "uid": plain(event.rule), "type_id": 1}
    match event.event_class:
        case EventClass.INCIDENT:
            return {
                "finding_info_list": [info],
                "status_id": 5 if event.activity is Activity.CLOSE else 1,
                "assignee_group": {"name": "unassigned"},
            }
        case EventClass.COMPLIANCE_FINDING:
            return {
                "finding_info": info,
                "compliance": {"control": plain(event.rule), "status_id": 3},
            }
        case EventClass.VULNERABILITY_FINDING:
            advisory = {"uid": plain(event.rule or event.id)}
            return {"finding_info": info, "vulnerabilities": [{"advisory": advisory}]}
    return {"finding_info": info}
