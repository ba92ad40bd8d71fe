"""What Compose, Kubernetes, Dockerfiles and workflows share: containers, images and commands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from keepwall.discover.accelerators import observe_accelerators, requested
from keepwall.discover.catalogue import Catalogue, started_names
from keepwall.discover.source import (
    TreeContext,
    asset,
    environment_without_secrets,
    without_secrets,
    words_without_secrets,
)
from keepwall.formats.container import Container
from keepwall.formats.dockerfile import parse_image
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_DEFAULT = re.compile(r"(?<!\$)\$\{\w{1,100}:?-([^${}]{0,300})\}")
_GUESSES: Sequence[tuple[Surface, tuple[str, ...]]] = (
    (Surface.NOTEBOOK, ("jupyter", "notebook", "marimo")),
    (
        Surface.INFERENCE,
        (
            "vllm",
            "ollama",
            "tgi",
            "text-generation",
            "triton",
            "llama",
            "torchserve",
            "tf-serving",
            "litellm",
            "open-webui",
            "kserve",
            "sglang",
            "localai",
            "tensorflow/serving",
        ),
    ),
    (Surface.REGISTRY, ("mlflow", "harbor", "clearml")),
    (
        Surface.DATA,
        (
            "qdrant",
            "weaviate",
            "chroma",
            "milvus",
            "pgvector",
            "minio",
            "postgres",
            "redis",
            "opensearch",
            "elasticsearch",
        ),
    ),
    (
        Surface.AGENT,
        ("agent", "mcp", "langgraph", "n8n", "flowise", "langflow", "autogen", "crewai"),
    ),
)


def surface_of(argv: Sequence[str], image: str, catalogue: Catalogue, fallback: Surface) -> Surface:
    """Return the surface of a workload: by the program it starts, else by its image."""
    program = catalogue.program(argv)
    if program is not None and not program.ambiguous:
        return program.surface
    name = image.lower()
    return next((each for each, words in _GUESSES if any(word in name for word in words)), fallback)


def with_defaults(text: str) -> str:
    """Return `text` with Compose variables that have a default, ``${NAME:-default}``, filled in."""
    return _DEFAULT.sub(lambda found: found[1], text)


def started_argv(argv: Sequence[str], image: str, catalogue: Catalogue) -> Sequence[str]:
    """Return the whole command line where `argv` only has arguments for what `image` starts."""
    if not argv or not argv[0].startswith("-"):
        return argv
    name = image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    return (*catalogue.entrypoints.get(name, ()), *argv)


def observe_image(
    reference: str, holder: Asset, place: Location, context: TreeContext
) -> Iterator[Observation]:
    """Yield the image that `holder` is built from or runs."""
    reference = without_secrets(reference.strip())
    if not reference or any(mark in reference for mark in "${}<> \t\n"):
        return
    found = parse_image(reference)
    image = asset(context, AssetKind.IMAGE, reference, reference, Surface.PIPELINE, (place,))
    yield image
    yield Relation(holder.id, RelationKind.BUILT_FROM, image.id)
    value: dict[str, JsonValue] = {
        "reference": reference,
        "tag": found.tag,
        "digest": found.digest,
        "floating": found.floating,
    }
    yield Fact("container.image", holder.id, value, place.path, place.line)


def observe_container(
    container: Container, holder: Asset, path: str, source: str, context: TreeContext
) -> Iterator[Observation]:
    """Yield the specification of a container, its image and its command."""
    if source == "compose":
        container = replace(
            container,
            image=with_defaults(container.image),
            ports=tuple(map(with_defaults, container.ports)),
            command=tuple(map(with_defaults, container.command)),
        )
    environment = environment_without_secrets(container.environment)
    value: dict[str, JsonValue] = {
        "name": container.name,
        "image": without_secrets(container.image),
        "privileged": container.privileged,
        "host_network": container.host_network,
        "host_pid": container.host_pid,
        "run_as_root": container.run_as_root,
        "read_only_root": container.read_only_root,
        "limits": dict(container.limits),
        "ports": list(container.ports),
        "environment": environment,
        "mounts": [without_secrets(each) for each in container.mounts],
        "gpu": container.gpu,
    }
    yield Fact("container.spec", holder.id, value, path, container.line)
    devices = requested(container.limits) or ({"nvidia": ""} if container.gpu else {})
    place = Location(path, container.line)
    yield from observe_accelerators(devices, holder, place, source, context)
    yield from observe_image(container.image, holder, Location(path, container.line), context)
    if container.command:
        place = Location(path, container.command_line)
        argv = started_argv(container.command, container.image, context.catalogue)
        yield command_fact(argv, container.environment, source, holder, place)


def command_fact(
    argv: Sequence[str],
    environment: Mapping[str, str | None],
    source: str,
    holder: Asset,
    place: Location,
) -> Fact:
    """Return the fact of how a program is started."""
    names = started_names(argv)
    value: dict[str, JsonValue] = {
        "program": names[-1] if names else argv[0].rpartition("/")[2] if argv else "",
        "argv": words_without_secrets(list(argv)),
        "environment": environment_without_secrets(environment),
        "source": source,
    }
    return Fact("command.line", holder.id, value, place.path, place.line)
