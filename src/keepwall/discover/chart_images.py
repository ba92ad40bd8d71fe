"""Container images that values and other configuration name, under whichever key.

Compose, Kubernetes and workflow files say themselves which of their texts are images; those are
left to their own source. Elsewhere a text is an image where its key says so and it carries a tag
or digest, or where it is the repository of known AI software.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from dataclasses import dataclass

from keepwall.discover.containers import observe_image
from keepwall.discover.helm import is_template
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.discover.yaml_files import YAML_FILES
from keepwall.formats.kubernetes import is_kubernetes
from keepwall.formats.safe_json import load_json_with_comments
from keepwall.formats.safe_yaml import YamlLimits, YamlMap, YamlValue, load_yaml
from keepwall.formats.snake_case import snake_case
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.scan import Observation

LARGEST = 256 << 10
_DEPTH = 30
_HINT = re.compile(rb"(?i)image|repository|docker|container")
_REFERENCE = re.compile(
    r"(?:[a-z\d](?:[a-z\d.-]{0,200}[a-z\d])?(?::\d{2,5})?/)?"
    r"(?:[a-z\d]+(?:[._-]{1,3}[a-z\d]+){0,20}/){0,6}[a-z\d]+(?:[._-]{1,3}[a-z\d]+){0,20}"
    r"(?P<end>:[\w][\w.-]{0,127}|(?::[\w][\w.-]{0,127})?@sha256:[0-9a-f]{64})?\Z"
)
_REGISTRY = re.compile(r"[a-z\d-]+(?:\.[a-z\d-]+)+(?::\d{2,5})?/\S+/\S+\Z")
_KEY = re.compile(
    r"(?:.*[_.-])?(?:docker_?|container_?|base_?|runtime_?)?images?(?:_?(?:uri|url|ref|name|tag))?"
)
_FILE = re.compile(r"(?i)\.(?:png|jpe?g|gif|svg|webp|ico|bmp|tiff?|avif|iso|qcow2|img)\Z")
_REPOSITORY_KEYS = ("repository", "repo", "name")
_DEVCONTAINER = ("devcontainer.json", ".devcontainer.json")


@dataclass(frozen=True, slots=True)
class NamedImage:
    """An image reference in configuration, and its line."""

    reference: str
    line: int


def _wants(path: str, context: TreeContext) -> bool:
    return YAML_FILES.wants(path, context) or path.lower().endswith(_DEVCONTAINER)


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    if len(view.data) > LARGEST or not _HINT.search(view.data):
        return
    if view.name.endswith(".json"):
        document = load_json_with_comments(view.data)
        reference = document.get("image") if isinstance(document, dict) else None
        if isinstance(reference, str) and is_image(reference, "image", context):
            yield from observe_image(reference, context.project, Location(view.path), context)
        return
    if _has_a_source(view, context):
        return
    limits = YamlLimits(nodes=context.limits.nodes, depth=context.limits.nesting)
    try:
        documents = load_yaml(view.data, limits)
    except FormatError:
        return  # a template or a fragment: whoever needs it as YAML names it as unread
    seen: set[str] = set()
    for document in documents:
        for each in _images(document, "", 0, context):
            if each.reference not in seen:
                seen.add(each.reference)
                place = Location(view.path, each.line)
                yield from observe_image(each.reference, context.project, place, context)


def _has_a_source(view: FileView, context: TreeContext) -> bool:
    """Return whether another source knows where images stand in a file like this."""
    return (
        f"/{view.path}".rpartition("/")[0].endswith("/.github/workflows")
        or view.name.startswith((".gitlab-ci", "action.", "kustomization.", "pnpm-lock"))
        or is_kubernetes(view.data)
        or b"services:" in view.data
        or b"openapi:" in view.data
        or is_template(view.path, context)
        or _is_of_subchart(view, context)
    )


def _is_of_subchart(view: FileView, context: TreeContext) -> bool:
    """Return whether these are values of a chart in a chart, which the outer one may switch off."""
    charts, _, _ = posixpath.dirname(view.path).rpartition("/")
    above, _, folder = charts.rpartition("/")
    return (folder or charts) == "charts" and "Chart.yaml" in context.near.files(
        above if folder else ""
    )


def _images(value: YamlValue, key: str, depth: int, context: TreeContext) -> Iterator[NamedImage]:
    """Yield the images below `key`; texts of a table called ``images`` count by its name."""
    if depth > _DEPTH:
        return
    if isinstance(value, YamlMap):
        if value.get("enabled") is False:
            return
        if joined := _joined(value, key, context):
            yield joined
            return
        plural = key if _is_image_key(key) and key.endswith("s") else ""
        for name, each in value.items():
            if isinstance(each, str) and is_image(each, plural or name, context):
                yield NamedImage(each, value.line_of(name))
            else:
                yield from _images(each, name, depth + 1, context)
    elif isinstance(value, list):
        lines = getattr(value, "lines", [])
        for index, each in enumerate(value):
            if isinstance(each, str) and is_image(each, key, context):
                yield NamedImage(each, lines[index] if index < len(lines) else 0)
            else:
                yield from _images(each, key, depth + 1, context)


def _joined(value: YamlMap, key: str, context: TreeContext) -> NamedImage | None:
    """Return the image that ``repository`` with ``tag`` (and ``registry``) make up together."""
    name = next((at for at in _REPOSITORY_KEYS if isinstance(value.get(at), str)), "")
    tag, digest = value.get("tag"), value.get("digest")
    if not name or "tag" not in value or (name == "name" and not _is_image_key(key)):
        return None
    registry = value.get("registry")
    repository = str(value[name])
    if isinstance(registry, str) and registry:
        repository = f"{registry.rstrip('/')}/{repository}"
    end = f"@{digest}" if isinstance(digest, str) and digest.startswith("sha256:") else ""
    end = end or (f":{tag}" if isinstance(tag, str | int | float) and str(tag) else "")
    # Without a tag the chart fills in its own version, which only its templates say.
    if end and is_image(repository + end, "image", context):
        return NamedImage(repository + end, value.line_of(name))
    return None


def is_image(text: str, key: str, context: TreeContext) -> bool:
    """Return whether `text`, given to `key`, is the reference of a container image."""
    found = _REFERENCE.match(text) if len(text) < 400 else None  # noqa: PLR2004 - longer than any reference
    if found is None or _FILE.search(text):
        return False
    versioned = found["end"] is not None
    if _is_image_key(key):
        return versioned or _REGISTRY.match(text) is not None or _is_known(text, context)
    return versioned and _is_known(text, context)


def _is_known(text: str, context: TreeContext) -> bool:
    """Return whether `text` is the repository of AI software, with the organisation before it."""
    return "/" in text and any(context.catalogue.services.contained(text))


def _is_image_key(key: str) -> bool:
    return _KEY.fullmatch(snake_case(key)) is not None


CHART_IMAGES = Source("images", _wants, _observe)
