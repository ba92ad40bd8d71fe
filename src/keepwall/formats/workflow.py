"""Workflows of GitHub Actions: triggers, permissions, runners and steps."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keepwall.formats.container import mapping, sequence, strings, text_of
from keepwall.formats.safe_yaml import YamlMap, YamlValue
from keepwall.vocabulary.json_value import JsonValue

_COMMIT = re.compile(r"@[0-9a-f]{40}$")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_MAXIMUM_RUN = 4_000
_MATRIX = re.compile(r"\$\{\{\s{0,5}matrix\.([\w.-]{1,100})\s{0,5}\}\}")
_MAXIMUM_RUNNERS = 50
_GPU = re.compile(r"(?i)\b(?:gpu|cuda|a10g?|a100|h100|h200|b200|l4|l40s?|t4|v100|rtx\w*)\b")


@dataclass(frozen=True, slots=True)
class Step:
    """A step (or a job that calls another workflow); `checkout_ref` is what it checks out."""

    uses: str
    pinned: bool
    run: str
    checkout_ref: str
    job: str
    runner: tuple[str, ...]
    line: int
    environment: str = ""
    permissions: JsonValue = None


@dataclass(frozen=True, slots=True)
class Workflow:
    """A workflow; permissions are a mapping or a word, None where it does not say."""

    name: str
    triggers: tuple[str, ...]
    permissions: JsonValue
    runners: tuple[str, ...]
    steps: tuple[Step, ...]
    images: tuple[tuple[str, int], ...]
    line: int


def is_gpu_label(label: str) -> bool:
    """Return whether the label of a runner says that it has a GPU."""
    return _GPU.search(label.replace("_", "-")) is not None


def read_action(documents: list[YamlValue]) -> Workflow | None:
    """Return a composite or container action of this repository as a workflow without triggers.

    None stands for an action that is a program, and for what is no action.
    """
    document = documents[0] if documents else None
    runs = document.get("runs") if isinstance(document, YamlMap) else None
    if not isinstance(document, YamlMap) or not isinstance(runs, YamlMap):
        return None
    image = text_of(runs.get("image")).removeprefix("docker://")
    own = not image or image.lower().startswith(("dockerfile", "./")) or "${{" in image
    if not runs.get("steps") and own:
        return None
    return Workflow(
        name=text_of(document.get("name")),
        triggers=(),
        permissions=None,
        runners=(),
        steps=tuple(_steps("", runs)),
        images=() if own else ((image, runs.line_of("image")),),
        line=document.line_of("runs"),
    )


def read_workflow(documents: list[YamlValue]) -> Workflow | None:
    """Return the workflow in `documents`, or None where there is none."""
    document = documents[0] if documents else None
    if not isinstance(document, YamlMap) or not isinstance(document.get("jobs"), YamlMap):
        return None
    jobs = [
        (name, each)
        for name, each in mapping(document["jobs"]).items()
        if isinstance(each, YamlMap)
    ]
    steps = [step for name, job in jobs for step in _steps(name, job)]
    runners = dict.fromkeys(label for _, job in jobs for label in _runner(job))
    permissions = _permissions(document.get("permissions"))
    if permissions is None and jobs:
        each = [_permissions(job.get("permissions")) for _, job in jobs]
        permissions = _united(each) if None not in each else None
    return Workflow(
        name=text_of(document.get("name")),
        triggers=tuple(_triggers(document.get("on"))),
        permissions=permissions,
        runners=tuple(runners),
        steps=tuple(steps),
        images=tuple(image for _, job in jobs for image in _images(job)),
        line=document.line_of("on"),
    )


def _triggers(value: YamlValue) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
    elif isinstance(value, list):
        yield from strings(value)
    elif value:
        yield text_of(value)


def _permissions(value: YamlValue) -> JsonValue:
    if isinstance(value, dict):
        return {name: text_of(each) for name, each in value.items()}
    return text_of(value) or None


def _united(values: list[JsonValue]) -> JsonValue:
    """Return what any of the jobs may: the widest permission of each name wins."""
    united: dict[str, JsonValue] = {}
    for value in values:
        if not isinstance(value, Mapping):
            return value
        for name, each in value.items():
            united[name] = "write" if "write" in (each, united.get(name)) else each
    return united


def _runner(job: YamlMap) -> tuple[str, ...]:
    """Return the labels of the runners of a job; those of a matrix are listed one by one."""
    value = job.get("runs-on")
    if isinstance(value, dict):
        value = [
            *_words(value.get("labels")),
            *(f"group:{each}" for each in _words(value.get("group"))),
        ]
    matrix = mapping(mapping(job.get("strategy")).get("matrix"))
    found = dict.fromkeys(label for word in _words(value) for label in _expanded(word, matrix))
    return tuple(found)[:_MAXIMUM_RUNNERS]


def _words(value: YamlValue) -> list[str]:
    return [*strings(value)] if isinstance(value, list) else [*filter(None, (text_of(value),))]


def _expanded(word: str, matrix: Mapping[str, YamlValue]) -> Iterator[str]:
    """Yield what ``${{ matrix.x }}`` stands for, where the matrix is written out."""
    match = _MATRIX.fullmatch(word.strip())
    if match is None:
        yield word
        return
    name, *inner = match[1].split(".")
    rows: list[Mapping[str, YamlValue]] = [{name: each} for each in sequence(matrix.get(name))]
    rows += [mapping(each) for each in sequence(matrix.get("include"))]
    labels: list[str] = []
    for row in rows[:_MAXIMUM_RUNNERS]:
        value = row.get(name)
        for part in inner:
            value = mapping(value).get(part)
        labels += _words(value)
    yield from labels or [word]


def _steps(name: str, job: YamlMap) -> Iterator[Step]:
    runner = _runner(job)
    place = job.get("environment")
    environment = text_of(mapping(place).get("name")) or text_of(place)
    permissions = _permissions(job.get("permissions"))
    if uses := text_of(job.get("uses")):
        line = job.line_of("uses")
        pinned = is_pinned_action(uses)
        yield Step(uses, pinned, "", "", name, runner, line, environment, permissions)
    for step in sequence(job.get("steps")):
        if isinstance(step, YamlMap):
            uses = text_of(step.get("uses"))
            reference = mapping(step.get("with")).get("ref") if "checkout" in uses else ""
            yield Step(
                uses=uses,
                pinned=is_pinned_action(uses),
                run=text_of(step.get("run"))[:_MAXIMUM_RUN],
                checkout_ref=text_of(reference),
                job=name,
                runner=runner,
                line=step.line_of("uses" if uses else "run"),
                environment=environment,
                permissions=permissions,
            )


def is_pinned_action(uses: str) -> bool:
    """Return whether `uses` always means the same code: a commit, a digest, or this repository."""
    if uses.startswith("./") or not uses:
        return True
    if uses.startswith("docker://"):
        return _DIGEST.search(uses) is not None
    return _COMMIT.search(uses) is not None


def _images(job: YamlMap) -> Iterator[tuple[str, int]]:
    places = [
        ("container", job),
        *(("image", each) for each in mapping(job.get("services")).values()),
    ]
    for key, holder in places:
        if isinstance(holder, YamlMap):
            value = holder.get(key)
            image = text_of(mapping(value).get("image")) or text_of(value)
            if image and "${{" not in image:
                yield image, holder.line_of(key)
