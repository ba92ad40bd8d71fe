"""GitLab CI in depth; pipelines of Jenkins, Azure and CircleCI by name alone."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.containers import command_fact, observe_image
from keepwall.discover.source import (
    FileView,
    Source,
    TreeContext,
    asset,
    without_secrets,
)
from keepwall.formats.dockerfile import shell_words
from keepwall.formats.gitlab_ci import GitlabPipeline, Job, read_gitlab_ci
from keepwall.formats.safe_yaml import YamlLimits, load_yaml
from keepwall.formats.workflow import is_gpu_label
from keepwall.vocabulary.asset import Asset, AssetKind, Location, Relation, RelationKind
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_OTHERS = {
    "jenkinsfile": "jenkins",
    "azure-pipelines.yml": "azure-pipelines",
    "azure-pipelines.yaml": "azure-pipelines",
    ".circleci/config.yml": "circleci",
}
_COMMIT = re.compile(r"@[0-9a-f]{40}$")


def _wants_gitlab(path: str, _context: TreeContext) -> bool:
    name = posixpath.basename(path)
    return name.endswith((".gitlab-ci.yml", ".gitlab-ci.yaml")) or (
        ".gitlab/ci/" in f"/{path}" and name.endswith((".yml", ".yaml"))
    )


def _observe_gitlab(view: FileView, context: TreeContext) -> Iterator[Observation]:
    limits = YamlLimits(nodes=context.limits.nodes, depth=context.limits.nesting)
    pipeline = read_gitlab_ci(load_yaml(view.data, limits))
    if pipeline is None:
        return
    name = pipeline.name or view.name
    holder = _pipeline(name if "$" not in name else view.name, "gitlab-ci", view, context)
    yield holder
    yield Relation(context.project.id, RelationKind.USES, holder.id)
    runners = list(dict.fromkeys(label for job in pipeline.jobs for label in job.runner))
    value: dict[str, JsonValue] = {
        "provider": "gitlab-ci",
        "triggers": list(pipeline.triggers),
        "permissions": None,
        "runners": [*runners],
        "gpu": any(map(is_gpu_label, runners)),
        "id_tokens": any(job.tokens for job in pipeline.jobs),
    }
    yield Fact("pipeline.workflow", holder.id, value, view.path, 1)
    yield from _includes(pipeline, holder, view)
    for job in pipeline.jobs:
        yield from _job(job, pipeline, holder, view, context)


def _includes(pipeline: GitlabPipeline, holder: Asset, view: FileView) -> Iterator[Observation]:
    """Yield what else the pipeline is made of: named, for it is read where it lies."""
    for text, line in pipeline.includes:
        pinned = text.startswith("local:") or _COMMIT.search(text) is not None
        yield _step(holder, view.path, line, uses=without_secrets(text), pinned=pinned)


def _job(
    job: Job, pipeline: GitlabPipeline, holder: Asset, view: FileView, context: TreeContext
) -> Iterator[Observation]:
    for image, line in job.images:
        yield from observe_image(image, holder, Location(view.path, line), context)
    variables = {**pipeline.variables, **job.variables}
    about: dict[str, JsonValue] = {
        "job": job.name,
        "triggers": list(job.triggers or pipeline.triggers),
        "runner": list(job.runner),
        "environment": job.environment,
        "permissions": {"id_tokens": [*job.tokens]} if job.tokens else None,
        "artifacts": [*job.artifacts],
    }
    if job.trigger:
        yield _step(holder, view.path, job.line, uses=without_secrets(job.trigger), about=about)
    for each in job.script:
        yield _step(holder, view.path, each.line, run=without_secrets(each.text), about=about)
        for text in each.text.splitlines()[:100]:
            words = shell_words(text)[:200]
            if context.catalogue.program(words) is not None:
                place = Location(view.path, each.line)
                yield command_fact(words, variables, "pipeline", holder, place)


def _step(
    holder: Asset,
    path: str,
    line: int,
    *,
    uses: str = "",
    run: str = "",
    pinned: bool = True,
    about: dict[str, JsonValue] | None = None,
) -> Fact:
    value: dict[str, JsonValue] = {
        "uses": uses,
        "pinned": pinned,
        "run": run,
        "checkout_ref": "",
        "job": "",
        "triggers": [],
        "runner": [],
        **(about or {}),
    }
    return Fact("pipeline.step", holder.id, value, path, line)


def _pipeline(name: str, provider: str, view: FileView, context: TreeContext) -> Asset:
    found = asset(
        context,
        AssetKind.PIPELINE,
        f"{view.path}#{name}",
        name,
        Surface.PIPELINE,
        view.at(),
        {"provider": provider},
    )
    view.holders.append((0, found))
    return found


def _other(path: str) -> str:
    """Return which other CI system a file belongs to, or nothing."""
    lower = path.lower()
    name = lower.rpartition("/")[2]
    return _OTHERS.get(name, "") or next(
        (provider for end, provider in _OTHERS.items() if f"/{lower}".endswith(f"/{end}")), ""
    )


def _wants_other(path: str, _context: TreeContext) -> bool:
    return bool(_other(path))


def _observe_other(view: FileView, context: TreeContext) -> Iterator[Observation]:
    provider = _other(view.path)
    holder = _pipeline(view.path.rpartition("/")[2], provider, view, context)
    yield holder
    yield Relation(context.project.id, RelationKind.USES, holder.id)
    yield Unread(view.path, f"a pipeline of {provider}: named, its steps are not read")


GITLAB_CI = Source("gitlab-ci", _wants_gitlab, _observe_gitlab)
OTHER_PIPELINES = Source("other-pipelines", _wants_other, _observe_other)
