"""Kubernetes manifests: the objects that run containers, whatever their kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from keepwall.formats.container import (
    Container,
    mapping,
    sequence,
    strings,
    text_of,
)
from keepwall.formats.safe_yaml import YamlMap, YamlValue

_SEARCH_DEPTH = 8
_SINGLE = ("container", "script", "trainer", "spec")
_GPU = ("nvidia.com/gpu", "amd.com/gpu", "gpu.intel.com", "habana.ai", "google.com/tpu")


@dataclass(frozen=True, slots=True)
class Workload:
    """An object of Kubernetes that runs containers (a CronJob, a KServe InferenceService, …)."""

    kind: str
    namespace: str
    name: str
    containers: tuple[Container, ...]
    line: int
    group: str = ""
    """The API group, such as ``serving.kserve.io``."""
    content: YamlMap = field(default_factory=YamlMap, repr=False)

    @property
    def type(self) -> str:
        """The API group and kind: what the object is."""
        return f"{self.group}/{self.kind}"


def is_kubernetes(data: bytes) -> bool:
    """Return whether `data` may hold Kubernetes manifests."""
    return b"apiVersion:" in data and b"kind:" in data


def read_kubernetes(documents: list[YamlValue]) -> Iterator[Workload]:
    """Yield the objects in `documents` that run containers, also those inside a List."""
    return (each for each in read_objects(documents) if each.containers)


def read_objects(documents: list[YamlValue]) -> Iterator[Workload]:
    """Yield every object in `documents`, also those inside a List."""
    for document in documents:
        top = mapping(document)
        if not top.get("apiVersion") or not top.get("kind"):
            continue
        items = sequence(top.get("items")) if text_of(top["kind"]).endswith("List") else [document]
        for item in items:
            if isinstance(item, YamlMap):
                yield _workload(item)


def _workload(item: YamlMap) -> Workload:
    metadata = mapping(item.get("metadata"))
    name = text_of(metadata.get("name")) or text_of(metadata.get("generateName"))
    containers = tuple(each for spec in _pod_specs(item, 0) for each in _containers(spec))
    namespace = text_of(metadata.get("namespace")) or "default"
    group = text_of(item.get("apiVersion")).partition("/")[0]
    return Workload(text_of(item.get("kind")), namespace, name, containers, item.line, group, item)


def _pod_specs(node: YamlValue, depth: int) -> Iterator[YamlMap]:
    """Yield every mapping that lists containers; operators put theirs at different depths."""
    if depth > _SEARCH_DEPTH:
        return
    if isinstance(node, YamlMap):
        if any(isinstance(each, YamlMap) for each in sequence(node.get("containers"))):
            yield node
            return
        if any(_runs(node.get(key)) for key in _SINGLE):
            yield node
        for value in node.values():
            yield from _pod_specs(value, depth + 1)
    elif isinstance(node, list):
        for value in node[:100]:
            yield from _pod_specs(value, depth + 1)


def _runs(value: YamlValue) -> bool:
    """Return whether `value` is a container that stands alone, as those of Argo and NIM."""
    image = mapping(value).get("image")
    return isinstance(image, str) or (
        isinstance(image, dict) and bool({"repository", "name"} & image.keys())
    )


def _containers(spec: YamlMap) -> Iterator[Container]:
    pod = mapping(spec.get("securityContext"))
    volumes = {
        text_of(mapping(each).get("name")): text_of(
            mapping(mapping(each).get("hostPath")).get("path")
        )
        for each in sequence(spec.get("volumes"))
    }
    for key in ("initContainers", "containers"):
        for value in sequence(spec.get(key)):
            if isinstance(value, YamlMap):
                yield _container(
                    value, spec, {**pod, **mapping(value.get("securityContext"))}, volumes
                )
    for key in _SINGLE:
        value = spec.get(key)
        if isinstance(value, YamlMap) and _runs(value) and "containers" not in spec:
            yield _container(value, spec, {**pod, **mapping(value.get("securityContext"))}, volumes)


def _container(
    value: YamlMap, spec: YamlMap, security: dict[str, YamlValue], volumes: dict[str, str]
) -> Container:
    resources = mapping(value.get("resources")) or mapping(value.get("resourcesPerNode"))
    limits = mapping(resources.get("limits"))
    user, non_root = security.get("runAsUser"), security.get("runAsNonRoot")
    as_root = user == 0 if user is not None else False if non_root is True else None
    mounts = (mapping(each) for each in sequence(value.get("volumeMounts")))
    return Container(
        name=text_of(value.get("name")),
        image=_image(value.get("image")),
        privileged=security.get("privileged") is True,
        host_network=spec.get("hostNetwork") is True,
        host_pid=spec.get("hostPID") is True,
        run_as_root=as_root,
        read_only_root=security.get("readOnlyRootFilesystem") is True,
        limits={key: text_of(each) for key, each in limits.items()},
        ports=tuple(_port(mapping(each)) for each in sequence(value.get("ports"))),
        environment=dict(_environment(value)),
        mounts=tuple(
            f"{volumes.get(text_of(each.get('name'))) or text_of(each.get('name'))}"
            f":{text_of(each.get('mountPath'))}{':ro' if each.get('readOnly') is True else ''}"
            for each in mounts
        ),
        gpu=any(key.startswith(_GPU) for key in limits),
        command=(*strings(value.get("command")), *strings(value.get("args"))),
        line=value.line_of("image"),
        command_line=value.line_of("command" if "command" in value else "args"),
    )


def _image(value: YamlValue) -> str:
    """Return an image reference, also one that operators take in parts."""
    parts = mapping(value)
    if not parts:
        return text_of(value)
    tag, digest = text_of(parts.get("tag")), text_of(parts.get("digest"))
    registry, name = (
        text_of(parts.get("registry")),
        text_of(parts.get("repository") or parts.get("name")),
    )
    name = f"{registry}/{name}" if registry else name
    return f"{name}@{digest}" if digest else f"{name}:{tag}" if tag else name


def _port(port: object) -> str:
    entry = mapping(port)
    target, host = text_of(entry.get("containerPort")), text_of(entry.get("hostPort"))
    return f"{host}:{target}" if host else target


def _environment(value: YamlMap) -> Iterator[tuple[str, str | None]]:
    for entry in sequence(value.get("env")):
        variable = mapping(entry)
        text = None if "valueFrom" in variable else text_of(variable.get("value"))
        yield text_of(variable.get("name")), text
