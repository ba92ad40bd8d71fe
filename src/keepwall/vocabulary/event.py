"""Events: what happened, in the classes of OCSF that Keepwall uses."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum, StrEnum

from keepwall.vocabulary.decision import Effect, Plane, Strength, Tier
from keepwall.vocabulary.surface import Severity


class EventClass(IntEnum):
    """OCSF class ids."""

    FILE = 1001
    PROCESS = 1007
    COMPLIANCE_FINDING = 2003
    DETECTION_FINDING = 2004
    VULNERABILITY_FINDING = 2002
    INCIDENT = 2005
    AUTHENTICATION = 3002
    GRANT = 3005
    NETWORK = 4001
    DNS = 4003
    API = 6003


class Activity(StrEnum):
    """What was tried; each class allows some of them (`formats.ocsf` holds the numbers)."""

    READ = "read"
    WRITE = "write"
    DELETE = "delete"
    EXECUTE = "execute"
    EXIT = "exit"
    CONNECT = "connect"
    LISTEN = "listen"
    CALL = "call"
    LOGIN = "login"
    LOGOUT = "logout"
    GRANT = "grant"
    REVOKE = "revoke"
    CREATE = "create"
    UPDATE = "update"
    CLOSE = "close"


@dataclass(frozen=True, slots=True)
class Process:
    """Who did it on a node; `started` is in clock ticks since boot, so a reused PID differs."""

    pid: int = 0
    path: str = ""
    command_line: str = ""
    user: str = ""
    started: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened.

    `id` is ``node:boot:sequence`` and serves as the message id on the bus. `target` is an absolute
    path, ``address:port``, or the name of what was called. `rule` is the envelope rule that
    answered. `count` is how often the same thing happened since the last such event.
    """

    id: str
    event_class: EventClass
    activity: Activity
    at: datetime
    node: str
    subject: str
    target: str
    effect: Effect
    plane: Plane
    tier: Tier
    strength: Strength
    message: str
    severity: Severity = Severity.INFO
    process: Process = field(default_factory=Process)
    rule: str = ""
    envelope: str = ""
    generation: int = 0
    incident: str = ""
    count: int = 1
