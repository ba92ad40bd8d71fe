"""Dockerfiles: base images, instructions, and what the image starts."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.containers import command_fact, observe_image, surface_of
from keepwall.discover.source import (
    FileView,
    Source,
    TreeContext,
    asset,
    environment_without_secrets,
    without_secrets,
)
from keepwall.formats.dockerfile import (
    Instruction,
    command_words,
    environment_pairs,
    read_dockerfile,
    substitute,
)
from keepwall.vocabulary.asset import Asset, AssetKind, Location
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation
from keepwall.vocabulary.surface import Surface

_NAME = re.compile(r"(?:docker|container)file(?:[._-].*)?\Z|.*\.(?:docker|container)file\Z")


def is_dockerfile(name: str) -> bool:
    """Return whether a base name (lower case) is one of a Dockerfile."""
    return _NAME.match(name) is not None


def _wants(path: str, _context: TreeContext) -> bool:
    name = posixpath.basename(path).lower()
    return is_dockerfile(name) and not name.endswith((".md", ".dockerignore", ".py"))


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    instructions = list(read_dockerfile(view.text))
    if not any(each.instruction == "FROM" for each in instructions):
        return
    started = _started(instructions)
    words = [word for each in started for word in command_words(each.value)]
    last = [each.value for each in instructions if each.instruction == "FROM"][-1]
    build = asset(
        context,
        AssetKind.BUILD,
        view.path,
        view.path,
        surface_of(words, f"{last} {view.path}", context.catalogue, Surface.PIPELINE),
        view.at(),
        {"format": "dockerfile"},
    )
    yield build
    yield from _instructions(instructions, build, view, context)
    if words:
        variables = _environment(instructions)
        place = Location(view.path, started[-1].line)
        yield command_fact(words, variables, "dockerfile", build, place)


def _started(instructions: list[Instruction]) -> list[Instruction]:
    """Return the ENTRYPOINT and CMD that count: the last of each, in the last stage."""
    stage = instructions[-1].stage
    last = {each.instruction: each for each in instructions if each.stage == stage}
    return [last[name] for name in ("ENTRYPOINT", "CMD") if name in last]


def _environment(instructions: list[Instruction]) -> dict[str, str | None]:
    stage = instructions[-1].stage
    return {
        name: value
        for each in instructions
        if each.instruction == "ENV" and each.stage == stage
        for name, value in environment_pairs(each.value).items()
    }


def _instructions(
    instructions: list[Instruction], build: Asset, view: FileView, context: TreeContext
) -> Iterator[Observation]:
    variables: dict[str, str] = {}
    stages: set[str] = {"scratch"}
    for each in instructions:
        text = without_secrets(each.value)
        if each.instruction == "ARG" and not each.stage:
            variables |= environment_pairs(each.value)
        if each.instruction in ("ENV", "ARG"):
            shown = environment_without_secrets(dict(environment_pairs(each.value)))
            if any(value is None for value in shown.values()):
                text = " ".join(
                    f"{name}={'***' if value is None else value}" for name, value in shown.items()
                )
        value: dict[str, JsonValue] = {
            "instruction": each.instruction,
            "value": text,
            "stage": each.stage,
        }
        yield Fact("dockerfile.instruction", build.id, value, view.path, each.line)
        image = substitute(_image(each), variables)
        if image and image.lower() not in stages and not image.isdigit():
            yield from observe_image(image, build, Location(view.path, each.line), context)
        if each.instruction == "FROM":
            stages.add(each.stage.lower())


def _image(each: Instruction) -> str:
    """Return the image that an instruction takes: to begin with, or to copy or mount from."""
    words = each.value.split()
    if each.instruction == "FROM":
        return next((word for word in words if not word.startswith("--")), "")
    if each.instruction in ("COPY", "ADD"):
        return next((word[7:] for word in words if word.startswith("--from=")), "")
    mounts = (word[8:].split(",") for word in words if word.startswith("--mount="))
    return next((part[5:] for parts in mounts for part in parts if part.startswith("from=")), "")


DOCKERFILES = Source("dockerfile", _wants, _observe)
