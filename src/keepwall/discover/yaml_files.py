"""YAML files: Compose, Kubernetes and workflows, told apart by name and content."""

from __future__ import annotations

import re
from collections.abc import Iterator

from keepwall.discover.containers import observe_container, observe_image, surface_of
from keepwall.discover.source import FileView, Source, TreeContext, asset, without_secrets
from keepwall.formats.compose import is_compose, read_compose
from keepwall.formats.kubernetes import is_kubernetes, read_kubernetes
from keepwall.formats.safe_yaml import YamlLimits, YamlValue, load_yaml
from keepwall.formats.workflow import Workflow, read_workflow
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_COMPOSE_NAME = re.compile(r"(?:.*[-_.])?(?:docker-)?compose(?:[-_.].*)?\.ya?ml$")
_TEMPLATE = re.compile(rb"\{\{[-\s]*(?:\.|include|if|with|range|template|toYaml|end|\$|/\*)")


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith((".yml", ".yaml"))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    workflow = ".github/workflows/" in f"/{view.path}"
    kubernetes = is_kubernetes(view.data)
    compose = _COMPOSE_NAME.match(view.name) is not None or (
        b"services:" in view.data and b"image:" in view.data
    )
    if not (workflow or kubernetes or compose):
        return
    documents = _documents(view, context)
    if workflow:
        yield from _workflow(read_workflow(documents), view, context)
    elif kubernetes:
        yield from _kubernetes(documents, view, context)
    elif is_compose(documents):
        yield from _compose(documents, view, context)


def _documents(view: FileView, context: TreeContext) -> list[YamlValue]:
    limits = YamlLimits(nodes=context.limits.nodes, depth=context.limits.nesting)
    try:
        return load_yaml(view.data, limits)
    except FormatError as error:
        if _TEMPLATE.search(view.data):
            raise FormatError(
                f"a template, which is no YAML before it is rendered: {error}"
            ) from error
        raise


def _compose(
    documents: list[YamlValue], view: FileView, context: TreeContext
) -> Iterator[Observation]:
    folder = view.path.rpartition("/")[0]
    for service in read_compose(documents):
        container = service.container
        workload = asset(
            context,
            AssetKind.WORKLOAD,
            "/".join(filter(None, (context.project.name, folder, service.name))),
            service.name,
            surface_of(
                container.command,
                container.image or service.name,
                context.catalogue,
                Surface.INFERENCE,
            ),
            view.at(service.line),
            {"format": "compose", **({"build": service.build} if service.build else {})},
        )
        yield workload
        yield Relation(context.project.id, RelationKind.USES, workload.id)
        yield from observe_container(container, workload, view.path, "compose", context)


def _kubernetes(
    documents: list[YamlValue], view: FileView, context: TreeContext
) -> Iterator[Observation]:
    for found in read_kubernetes(documents):
        words = [word for each in found.containers for word in each.command]
        images = " ".join(each.image for each in found.containers)
        surface = Surface.NOTEBOOK if found.kind == "Notebook" else Surface.INFERENCE
        workload = asset(
            context,
            AssetKind.KUBERNETES_OBJECT,
            f"-/{found.namespace}/{found.kind}/{found.name}",
            f"{found.kind}/{found.name}",
            surface_of(words, f"{images} {found.name}", context.catalogue, surface),
            view.at(found.line),
            {"kind": found.kind, "namespace": found.namespace},
        )
        yield workload
        yield Relation(context.project.id, RelationKind.USES, workload.id)
        for container in found.containers:
            yield from observe_container(container, workload, view.path, "kubernetes", context)


def _workflow(
    workflow: Workflow | None, view: FileView, context: TreeContext
) -> Iterator[Observation]:
    if workflow is None:
        return
    name = workflow.name or view.name
    pipeline = asset(
        context,
        AssetKind.PIPELINE,
        f"{view.path}#{name}",
        name,
        Surface.PIPELINE,
        view.at(),
        {"provider": "github-actions"},
    )
    view.holders.append((0, pipeline))
    yield pipeline
    yield Relation(context.project.id, RelationKind.USES, pipeline.id)
    value: dict[str, JsonValue] = {
        "provider": "github-actions",
        "triggers": list(workflow.triggers),
        "permissions": workflow.permissions,
        "runners": list(workflow.runners),
    }
    yield Fact("pipeline.workflow", pipeline.id, value, view.path, workflow.line)
    for image, line in workflow.images:
        yield from observe_image(image, pipeline, Location(view.path, line), context)
    yield from _steps(workflow, pipeline, view)


def _steps(workflow: Workflow, pipeline: Asset, view: FileView) -> Iterator[Observation]:
    for step in workflow.steps:
        value: dict[str, JsonValue] = {
            "uses": step.uses,
            "pinned": step.pinned,
            "run": without_secrets(step.run),
            "checkout_ref": step.checkout_ref,
            "job": step.job,
            "triggers": list(workflow.triggers),
            "runner": list(step.runner),
        }
        yield Fact("pipeline.step", pipeline.id, value, view.path, step.line)


YAML_FILES = Source("yaml", _wants, _observe)
