"""The permission envelope of one workload or agent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from keepwall.vocabulary.decision import Effect, Plane, Strength


class Mode(StrEnum):
    """Whether refusals happen (enforce) or are only reported (observe)."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class Subject:
    """What an envelope is about; one field is set, or none for a subject that is started."""

    spiffe: str = ""
    namespace: str = ""
    selector: Mapping[str, str] = field(default_factory=dict)
    unit: str = ""
    image: str = ""

    @property
    def name(self) -> str:
        """One string that names the subject in events, or an empty one."""
        if self.selector:
            labels = ",".join(f"{key}={value}" for key, value in sorted(self.selector.items()))
            return f"workload:{self.namespace}/{labels}"
        if self.unit:
            return f"unit:{self.unit}"
        if self.image:
            return f"image:{self.image}"
        return self.spiffe


@dataclass(frozen=True, slots=True)
class PathRule:
    """A path in the subject's root, literal or ending in ``/**``."""

    path: str
    action: Effect = Effect.ALLOW
    source: str = ""
    """The calling executable (`from:` in YAML) for which alone the rule holds; empty for any."""
    owner: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class AddressRule:
    """A peer (CIDR, address or host name; `*` for any) and ports (empty for every port)."""

    peer: str
    ports: tuple[int, ...] = ()
    action: Effect = Effect.ALLOW
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ProcessSection:
    """What may be executed, and with which capabilities."""

    allow: tuple[PathRule, ...] = ()
    capabilities: tuple[str, ...] = ()
    default: Effect = Effect.DENY


@dataclass(frozen=True, slots=True)
class FileSection:
    """What may be read and written; `deny` beats both."""

    read: tuple[PathRule, ...] = ()
    write: tuple[PathRule, ...] = ()
    deny: tuple[PathRule, ...] = ()
    default: Effect = Effect.DENY


@dataclass(frozen=True, slots=True)
class NetworkSection:
    """Whom the subject may reach, who may reach it, and where it may listen."""

    egress: tuple[AddressRule, ...] = ()
    ingress: tuple[AddressRule, ...] = ()
    listen: tuple[AddressRule, ...] = ()
    default: Effect = Effect.DENY


@dataclass(frozen=True, slots=True)
class ModelRule:
    """A model that may be called (name with `*`), and how fast (0 for no limit)."""

    name: str
    tokens_per_minute: int = 0
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ToolRule:
    """A tool of an MCP server that may be called, when a condition over its arguments holds."""

    server: str
    tool: str
    when: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class DataSection:
    """Labels that may be read and may leave, and entities that are masked."""

    read: tuple[str, ...] = ()
    egress: tuple[str, ...] = ()
    mask: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Envelope:
    """What one subject may do; a section that is None is denied on a listed plane."""

    name: str
    planes: tuple[Plane, ...]
    subject: Subject = field(default_factory=Subject)
    labels: Mapping[str, str] = field(default_factory=dict)
    mode: Mode = Mode.ENFORCE
    minimum_strength: Strength = Strength.PREVENTED
    process: ProcessSection | None = None
    file: FileSection | None = None
    network: NetworkSection | None = None
    models: tuple[ModelRule, ...] | None = None
    tools: tuple[ToolRule, ...] | None = None
    data: DataSection | None = None
    origin: str = field(default="", compare=False)
    """Where it was read from, for messages."""

    @property
    def subject_name(self) -> str:
        """The subject in events, containments and registrations; `run:<name>` for a started one."""
        return self.subject.name or f"run:{self.name}"


@dataclass(frozen=True, slots=True)
class EnvelopeGeneration:
    """The document under KV `envelopes/<uid>`: the generation only rises, a rollback is a new one.

    `spec` is the envelope as YAML text, which is what was signed and what a person reads.
    """

    uid: str
    generation: int
    spec: str
    reason: str = ""
