"""The numbers of OCSF 1.5 that our words stand for, and what every record has in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from keepwall.vocabulary.event import Activity, EventClass
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.surface import Severity

OCSF_VERSION = "1.5.0"

OTHER = 99
"""The number for what a table has no number for."""

_FINDING = {Activity.CREATE: 1, Activity.UPDATE: 2, Activity.CLOSE: 3}
ACTIVITY_IDS: Mapping[EventClass, Mapping[Activity, int]] = {
    EventClass.FILE: {
        Activity.CREATE: 1,
        Activity.READ: 2,
        Activity.WRITE: 3,
        Activity.DELETE: 4,
    },
    EventClass.PROCESS: {Activity.EXECUTE: 1, Activity.EXIT: 2},
    EventClass.VULNERABILITY_FINDING: _FINDING,
    EventClass.COMPLIANCE_FINDING: _FINDING,
    EventClass.DETECTION_FINDING: _FINDING,
    EventClass.INCIDENT: _FINDING,
    EventClass.AUTHENTICATION: {Activity.LOGIN: 1, Activity.LOGOUT: 2},
    EventClass.GRANT: {Activity.GRANT: 1, Activity.REVOKE: 2},
    EventClass.NETWORK: {Activity.CONNECT: 1, Activity.CLOSE: 2, Activity.LISTEN: 7},
    EventClass.DNS: {Activity.CALL: 1},
    EventClass.API: {
        Activity.CREATE: 1,
        Activity.READ: 2,
        Activity.UPDATE: 3,
        Activity.DELETE: 4,
    },
}
"""`activity_id` per class; an activity that is not listed is 99 (Other) with its own name."""

SEVERITY_IDS: Mapping[Severity, int] = {each: each.rank + 1 for each in Severity}
"""`severity_id`: 1 Informational to 5 Critical."""


def metadata_of(
    version: str, *, uid: str = "", profiles: Sequence[str] = ()
) -> dict[str, JsonValue]:
    """Return the OCSF `metadata` object of a record that Keepwall of `version` writes."""
    product = {"name": "Keepwall", "vendor_name": "Keepwall"}
    if version:
        product["version"] = version
    metadata: dict[str, JsonValue] = {"version": OCSF_VERSION, "product": product}
    if uid:
        metadata["uid"] = uid
    if profiles:
        metadata["profiles"] = list(profiles)
    return metadata


def milliseconds(at: datetime) -> int:
    """Return `at` as OCSF `timestamp_t`: whole milliseconds since 1970 in UTC."""
    since = at - datetime(1970, 1, 1, tzinfo=UTC)
    return since.days * 86_400_000 + since.seconds * 1_000 + since.microseconds // 1_000


def plain(text: str) -> str:
    r"""Return `text` as valid Unicode: a stray byte of a file name becomes ``\udcXX``."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
