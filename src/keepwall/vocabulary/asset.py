"""Assets, and the one table of canonical keys that decides when two sightings are one thing."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from keepwall.vocabulary.surface import Surface


class AssetKind(StrEnum):
    """What an asset is."""

    PROJECT = "project"
    HOST = "host"
    LIBRARY = "library"
    MODEL_FILE = "model-file"
    HOSTED_MODEL = "hosted-model"
    PROVIDER = "provider"
    INFERENCE_SERVER = "inference-server"
    VECTOR_STORE = "vector-store"
    FEATURE_STORE = "feature-store"
    MODEL_REGISTRY = "model-registry"
    EXPERIMENT_TRACKER = "experiment-tracker"
    GUARDRAIL = "guardrail"
    PROMPT = "prompt"
    TRAINING_JOB = "training-job"
    ACCELERATOR = "accelerator"
    DATASET = "dataset"
    NOTEBOOK = "notebook"
    AGENT = "agent"
    TOOL = "tool"
    MCP_SERVER = "mcp-server"
    ENDPOINT = "endpoint"
    IMAGE = "image"
    BUILD = "build"
    WORKLOAD = "workload"
    KUBERNETES_OBJECT = "kubernetes-object"
    CLOUD_RESOURCE = "cloud-resource"
    PIPELINE = "pipeline"
    PROCESS = "process"
    SECRET = "secret"  # noqa: S105 - the name of a kind, not a credential


KEY_TABLE: Mapping[AssetKind, str] = {
    AssetKind.PROJECT: "name of the directory or repository",
    AssetKind.HOST: "host name, lower case",
    AssetKind.LIBRARY: "purl",
    AssetKind.MODEL_FILE: "sha256:<hex digest of the content>, of very large ones partial:<digest "
    "of size and both ends>",
    AssetKind.HOSTED_MODEL: "provider/name",
    AssetKind.PROVIDER: "name in the catalogue, such as openai",
    AssetKind.INFERENCE_SERVER: "name of the software, such as vllm",
    AssetKind.VECTOR_STORE: "name of the software or service, such as qdrant",
    AssetKind.FEATURE_STORE: "name of the software or service, such as feast",
    AssetKind.MODEL_REGISTRY: "name of the software or service, such as mlflow",
    AssetKind.EXPERIMENT_TRACKER: "name of the software or service, such as wandb",
    AssetKind.GUARDRAIL: "name of the software or service, such as llm-guard",
    AssetKind.PROMPT: "path in the repository, with #name for one of several in a file",
    AssetKind.TRAINING_JOB: "path in the repository#name",
    AssetKind.ACCELERATOR: "path in the repository#workload that asks for it, or host/device",
    AssetKind.DATASET: "provider/name, a URL with scheme, host and path, or the path in the "
    "repository",
    AssetKind.NOTEBOOK: "path in the repository, POSIX, no leading ./",
    AssetKind.AGENT: "path in the repository#name",
    AssetKind.TOOL: "path in the repository#name, or server/tool",
    AssetKind.MCP_SERVER: "command with its package argument, or URL, normalised",
    AssetKind.ENDPOINT: "scheme://host:port/path",
    AssetKind.IMAGE: "digest, else registry/repository:tag",
    AssetKind.BUILD: "path in the repository of the file that an image is built by",
    AssetKind.WORKLOAD: "project/service",
    AssetKind.KUBERNETES_OBJECT: "cluster/namespace/kind/name",
    AssetKind.CLOUD_RESOURCE: "ARN or the provider's own full resource name; declared and not "
    "yet known by one: terraform/<folder of the module>#type.name, "
    "cloudformation/<path>#LogicalId, arm/<path>#name, bicep/<path>#symbol",
    AssetKind.PIPELINE: "path in the repository#name",
    AssetKind.PROCESS: "host/program path or name",
    AssetKind.SECRET: "detector/digest of the value, or of its place where it could be guessed",
}
"""What the canonical key of each kind is; published with the schemas."""

_IN_REPOSITORY = frozenset(
    {
        AssetKind.NOTEBOOK,
        AssetKind.AGENT,
        AssetKind.TOOL,
        AssetKind.PIPELINE,
        AssetKind.BUILD,
        AssetKind.PROMPT,
        AssetKind.TRAINING_JOB,
        AssetKind.ACCELERATOR,
    }
)
_NAMED = frozenset(
    {
        AssetKind.HOST,
        AssetKind.HOSTED_MODEL,
        AssetKind.PROVIDER,
        AssetKind.INFERENCE_SERVER,
        AssetKind.VECTOR_STORE,
        AssetKind.FEATURE_STORE,
        AssetKind.MODEL_REGISTRY,
        AssetKind.EXPERIMENT_TRACKER,
        AssetKind.GUARDRAIL,
    }
)
DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443, "ws": 80, "wss": 443}
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)
_SPACE = re.compile(r"\s+")
_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s]*\Z", re.IGNORECASE)
"""A command line that holds a URL is none."""
_DIGEST = re.compile(r"sha(256|384|512):[0-9a-f]+\Z", re.IGNORECASE)


def canonical_key(kind: AssetKind, raw: str) -> str:
    """Return the canonical form of `raw` for an asset of `kind`.

    The function is idempotent: ``canonical_key(k, canonical_key(k, r)) == canonical_key(k, r)``.
    Kinds whose keys are exact by nature (digests, purls, ARNs) are only trimmed.
    """
    text = _SPACE.sub(" ", raw.strip())
    if kind in _IN_REPOSITORY:
        path, mark, name = text.partition("#")
        return (posixpath.normpath(path.replace("\\", "/")).lstrip("/ ") or ".") + mark + name
    if kind is AssetKind.ENDPOINT or (
        kind in (AssetKind.MCP_SERVER, AssetKind.DATASET) and _URL.match(text)
    ):
        return _canonical_url(text)
    if kind is AssetKind.IMAGE:
        return _canonical_image(text)
    if kind in _NAMED:
        return text.lower()
    if kind is AssetKind.PROCESS:
        host, slash, program = text.partition("/")
        return host.lower() + slash + program
    return text


def _canonical_url(text: str) -> str:
    """Return scheme://host:port/path; credentials, query and fragment never become identity."""
    if not _SCHEME.match(text):
        text = f"http://{text.lstrip(':/')}"
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets without an address, or letters that no host name has
        parts = urlsplit(text.encode("ascii", "ignore").decode().replace("[", "").replace("]", ""))
    host = (parts.hostname or "").lower()
    scheme = parts.scheme.lower()
    try:
        port = parts.port or DEFAULT_PORTS.get(scheme)
    except ValueError:
        port = DEFAULT_PORTS.get(scheme)
    host = f"[{host}]" if ":" in host else host
    path = posixpath.normpath(f"/{parts.path.lstrip('/')}").rstrip("/ ")
    return f"{scheme}://{host}{f':{port}' if port else ''}{path}".strip()


def _canonical_image(text: str) -> str:
    """Return the digest where one is pinned, else registry/repository:tag as Docker resolves it."""
    _, mark, digest = text.rpartition("@")
    if _DIGEST.match(digest):
        return digest.lower()
    if mark:
        return text  # a digest that is none: left as it was written
    name = text.removeprefix("docker.io/").removeprefix("library/")
    head, slash, rest = name.partition("/")
    if not slash:
        name = f"docker.io/library/{name}"
    elif "." not in head and ":" not in head and head != "localhost":
        name = f"docker.io/{head}/{rest}"
    last = name.rsplit("/", 1)[-1]
    return name if ":" in last else f"{name}:latest"


def asset_id(kind: AssetKind, raw_key: str) -> str:
    """Return the id of the asset of `kind` that `raw_key` names: ``kind:canonical key``."""
    return f"{kind}:{canonical_key(kind, raw_key)}"


@dataclass(frozen=True, slots=True, order=True)
class Location:
    """A place that a person can open: a path (or address), and a line from 1 where it has lines."""

    path: str
    line: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" if self.line else self.path


@dataclass(frozen=True, slots=True)
class Asset:
    """A thing that exists; seen forty times it is one asset with forty locations."""

    kind: AssetKind
    key: str
    name: str
    surface: Surface
    locations: tuple[Location, ...] = ()
    owner: str = ""
    zone: str = ""
    attributes: Mapping[str, str] = field(default_factory=dict)
    id: str = ""

    def __post_init__(self) -> None:
        """Bring the key into its canonical form and derive the id from it."""
        object.__setattr__(self, "key", canonical_key(self.kind, self.key))
        object.__setattr__(self, "id", f"{self.kind}:{self.key}")

    def merged(self, other: Asset) -> Asset:
        """Return this asset with the locations and missing attributes of another sighting of it."""
        return Asset(
            kind=self.kind,
            key=self.key,
            name=self.name,
            surface=self.surface,
            locations=tuple(sorted({*self.locations, *other.locations})),
            owner=self.owner or other.owner,
            zone=self.zone or other.zone,
            attributes={**other.attributes, **self.attributes},
        )


class RelationKind(StrEnum):
    """How two assets hang together; read as *source kind target*."""

    USES = "uses"
    SERVES = "serves"
    TRAINED_ON = "trained_on"
    BUILT_FROM = "built_from"
    RUNS_AS = "runs_as"
    READS = "reads"
    CALLS = "calls"
    EXPOSES = "exposes"


@dataclass(frozen=True, slots=True, order=True)
class Relation:
    """A typed edge between two asset ids."""

    source: str
    kind: RelationKind
    target: str
