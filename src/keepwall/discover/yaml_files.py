"""YAML files: Compose, Kubernetes and workflows, told apart by name and content."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping

from keepwall.discover.containers import observe_container, observe_image, surface_of
from keepwall.discover.helm import is_template
from keepwall.discover.kubernetes_objects import observe_objects
from keepwall.discover.source import FileView, Source, TreeContext, asset, without_secrets
from keepwall.formats.compose import is_compose, read_compose
from keepwall.formats.container import mapping, sequence, text_of
from keepwall.formats.kubernetes import is_kubernetes, read_objects
from keepwall.formats.safe_yaml import YamlLimits, YamlMap, YamlValue, load_yaml
from keepwall.formats.workflow import Workflow, is_gpu_label, read_action, read_workflow
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind, asset_id
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_COMPOSE_NAME = re.compile(r"(?:.*[-_.])?(?:docker-)?compose(?:[-_.].*)?\.ya?ml$")
_NAME = re.compile(r"^name:[ \t]*(\S[^\n#]{0,300})", re.MULTILINE)
_TEMPLATE = re.compile(rb"\{\{[-\s]*(?:\.|include|if|with|range|template|toYaml|end|\$|/\*)")


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith((".yml", ".yaml"))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    workflow = ".github/workflows/" in f"/{view.path}" or _is_action(view)
    kubernetes = is_kubernetes(view.data) or view.name.startswith("kustomization.")
    compose = _COMPOSE_NAME.match(view.name) is not None or (
        b"services:" in view.data and b"image:" in view.data
    )
    if not (workflow or kubernetes or compose) or (
        not workflow and is_template(view.path, context)
    ):
        return
    documents = _documents(view, context)
    if workflow:
        action = _is_action(view)
        found = read_action(documents) if action else read_workflow(documents)
        yield from _workflow(found, view, context)
    elif kubernetes:
        yield from observe_objects(read_objects(documents), view, context)
        yield from _kustomize(documents, view, context)
    elif is_compose(documents):
        yield from _compose(documents, view, context)


def _is_action(view: FileView) -> bool:
    return view.name in ("action.yml", "action.yaml") and b"runs:" in view.data


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


def _kustomize(
    documents: list[YamlValue], view: FileView, context: TreeContext
) -> Iterator[Observation]:
    """Yield the images that a ``kustomization.yaml`` puts in the place of others."""
    if not view.name.startswith("kustomization."):
        return
    for document in documents:
        for each in sequence(mapping(document).get("images")):
            name = text_of(mapping(each).get("newName")) or text_of(mapping(each).get("name"))
            tag, digest = (text_of(mapping(each).get(key)) for key in ("newTag", "digest"))
            end = f"@{digest}" if digest else f":{tag}" if tag else ""
            if isinstance(each, YamlMap) and end:
                place = Location(view.path, each.line)
                yield from observe_image(name + end, context.project, place, context)


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
        "gpu": any(map(is_gpu_label, workflow.runners)),
        "self_hosted": any(each == "self-hosted" for each in workflow.runners),
        "id_tokens": _asks_for_tokens(workflow),
    }
    yield Fact("pipeline.workflow", pipeline.id, value, view.path, workflow.line)
    for image, line in workflow.images:
        yield from observe_image(image, pipeline, Location(view.path, line), context)
    yield from _steps(workflow, pipeline, view, context)


def _steps(
    workflow: Workflow, pipeline: Asset, view: FileView, context: TreeContext
) -> Iterator[Observation]:
    for step in workflow.steps:
        value: dict[str, JsonValue] = {
            "uses": step.uses,
            "pinned": step.pinned,
            "run": without_secrets(step.run),
            "checkout_ref": step.checkout_ref,
            "job": step.job,
            "triggers": list(workflow.triggers),
            "runner": list(step.runner),
            "environment": step.environment,
            "permissions": step.permissions,
        }
        yield Fact("pipeline.step", pipeline.id, value, view.path, step.line)
        if step.uses.startswith("./"):
            yield from _called(step.uses, pipeline, context)


def _called(uses: str, pipeline: Asset, context: TreeContext) -> Iterator[Relation]:
    """Yield the relation to a workflow or action of this repository."""
    path = posixpath.normpath(uses.partition("@")[0])
    candidates = (
        [path]
        if path.endswith((".yml", ".yaml"))
        else [f"{path}/action.yml", f"{path}/action.yaml"]
    )
    for each in candidates:
        data = context.near.read(each, context.limits.source_bytes)
        if data is not None:
            found = _NAME.search(data.decode("utf-8", "replace"))
            name = found[1].strip().strip("'\"") if found else posixpath.basename(each)
            target = asset_id(AssetKind.PIPELINE, f"{each}#{name}")
            yield Relation(pipeline.id, RelationKind.CALLS, target)


def _asks_for_tokens(workflow: Workflow) -> bool:
    """Return whether a job may ask for an identity token, which clouds take for a sign-in."""
    asked = (workflow.permissions, *(each.permissions for each in workflow.steps))
    return any(
        each == "write-all" or (isinstance(each, Mapping) and each.get("id-token") == "write")
        for each in asked
    )


YAML_FILES = Source("yaml", _wants, _observe)
