"""Helm charts: their description, the values that count, and their rendered manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keepwall.formats.container import mapping, sequence, text_of
from keepwall.formats.helm_lists import merged
from keepwall.formats.helm_render import Renderer
from keepwall.formats.helm_syntax import Node, Template, parse_template
from keepwall.formats.helm_values import (
    MARK,
    UNKNOWN,
    Budget,
    ExhaustedError,
    Method,
    PartialValues,
    Problems,
)
from keepwall.formats.safe_yaml import YamlLimits, YamlList, YamlMap, YamlValue, load_yaml
from keepwall.vocabulary.errors import FormatError

_VERSIONS = frozenset(
    {"v1", "apps/v1", "batch/v1", "autoscaling/v1", "autoscaling/v2", "networking.k8s.io/v1"}
    | {"policy/v1", "rbac.authorization.k8s.io/v1", "storage.k8s.io/v1", "apiextensions.k8s.io/v1"}
    | {"networking.k8s.io/v1/Ingress", "policy/v1/PodDisruptionBudget", "apps/v1/Deployment"}
    | {"admissionregistration.k8s.io/v1", "coordination.k8s.io/v1", "scheduling.k8s.io/v1"}
)
_DEPTH = 64
_KUBERNETES = "v1.34.0"


@dataclass(frozen=True, slots=True)
class ChartDependency:
    """Another chart that a chart brings along; `condition` is the value that switches it."""

    name: str
    alias: str
    version: str
    repository: str
    condition: str
    line: int


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart's description."""

    name: str
    version: str
    app_version: str
    library: bool
    dependencies: tuple[ChartDependency, ...]
    fields: Mapping[str, YamlValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a template renders to: documents whose lines are those of the template."""

    path: str
    documents: tuple[YamlValue, ...]
    problems: tuple[tuple[int, str], ...]


def read_chart(data: bytes) -> Chart | None:
    """Return the chart that a ``Chart.yaml`` describes, or None where it is another file.

    Raises:
        FormatError: it is not YAML.
    """
    document = next(iter(load_yaml(data, YamlLimits(nodes=20_000))), None)
    if not isinstance(document, YamlMap) or "name" not in document:
        return None
    dependencies = tuple(
        ChartDependency(
            name=text_of(each.get("name")),
            alias=text_of(each.get("alias")) or text_of(each.get("name")),
            version=text_of(each.get("version")),
            repository=text_of(each.get("repository")),
            condition=text_of(each.get("condition")),
            line=each.line_of("name"),
        )
        for each in sequence(document.get("dependencies"))
        if isinstance(each, YamlMap)
    )
    return Chart(
        text_of(document.get("name")),
        text_of(document.get("version")),
        text_of(document.get("appVersion")),
        document.get("type") == "library",
        dependencies,
        document,
    )


def read_values(data: bytes) -> YamlValue:
    """Return a chart's values; an empty mapping where there are none.

    Raises:
        FormatError: it is not YAML.
    """
    document = next(iter(load_yaml(data, YamlLimits(nodes=100_000))), None)
    return document if isinstance(document, dict) else {}


def with_parent(own: YamlValue, parent: YamlValue, names: tuple[str, ...]) -> YamlValue:
    """Return the values of a subchart: what its parent says of it counts over its own."""
    given = next((mapping(parent)[name] for name in names if name in mapping(parent)), {})
    values = merged(own, given if isinstance(given, dict) else {}, overwrite=True)
    shared = merged(values.get("global"), mapping(parent).get("global"), overwrite=True)
    return {**values, "global": shared}


def with_dependency(values: YamlValue, alias: str, own: YamlValue) -> YamlValue:
    """Return a chart's values with those of a dependency under its name.

    `own` are the dependency's own values, or None where that chart is not in the tree.
    """
    given = mapping(values).get(alias)
    given = given if isinstance(given, dict) else {}
    inner = _partial(given, 0) if own is None else merged(own, given, overwrite=True)
    return {**mapping(values), alias: inner}


def _partial(value: YamlValue, depth: int) -> YamlValue:
    if not isinstance(value, dict) or depth > _DEPTH:
        return value
    return PartialValues({key: _partial(each, depth + 1) for key, each in value.items()})


def switched_off(condition: str, values: YamlValue) -> bool:
    """Return whether the first value that `condition` names is set, and to false."""
    for path in condition.split(",")[:10]:
        value: YamlValue = values
        for part in path.strip().split("."):
            value = mapping(value).get(part)
        if isinstance(value, bool):
            return not value
    return False


def render_chart(
    chart: Chart, values: YamlValue, templates: Mapping[str, str], budget: Budget | None = None
) -> list[Manifest]:
    """Return the manifests that `templates` (path in the chart to text) render to, with `values`.

    The release is named as the chart and installed into ``default``. A template that cannot be
    parsed, or that asks for too much, renders to nothing and says so.
    """
    budget = budget or Budget()
    parsed: dict[str, Template] = {}
    found: list[Manifest] = []
    defined: dict[str, tuple[Node, ...]] = {}
    for path, text in sorted(templates.items()):
        try:
            parsed[path] = parse_template(text)
        except FormatError as error:
            found.append(Manifest(path, (), ((0, error.message),)))
            continue
        defined |= {**parsed[path].defined, f"{chart.name}/{path}": parsed[path].nodes}
    for path, template in parsed.items():
        if path.endswith((".yaml", ".yml")) and not path.rpartition("/")[2].startswith("_"):
            root = _root(chart, values, path)
            found.append(_manifest(path, template, root, Renderer(defined, budget)))
    return found


def _manifest(path: str, template: Template, root: YamlValue, renderer: Renderer) -> Manifest:
    problems: Problems = renderer.problems
    try:
        rendered = renderer.render(template.nodes, root)
    except ExhaustedError as error:
        return Manifest(path, (), ((0, str(error)),))
    text = str(rendered)
    if not text.strip():
        return Manifest(path, (), tuple(problems.found))
    try:
        documents = load_yaml(text.encode("utf-8", "replace"))
    except FormatError as error:
        problems.note(0, f"what it renders to is {error.message}")
        return Manifest(path, (), tuple(problems.found))
    return Manifest(
        path,
        tuple(_placed(each, rendered.lines) for each in documents),
        tuple(problems.found),
    )


def _placed(value: YamlValue, lines: list[int]) -> YamlValue:
    """Return a document with the lines of its template, and without what is not known."""
    if isinstance(value, YamlMap):
        found = YamlMap(_line(value.line, lines))
        for key, each in value.items():
            if MARK not in key:
                found[key] = _placed(each, lines)
                found.lines[key] = _line(value.line_of(key), lines)
        return found
    if isinstance(value, YamlList):
        items = YamlList()
        items += [_placed(each, lines) for each in value]
        items.lines = [_line(each, lines) for each in value.lines]
        return items
    return None if isinstance(value, str) and MARK in value else value


def _line(line: int, lines: list[int]) -> int:
    return lines[line - 1] if 0 < line <= len(lines) else 0


def _root(chart: Chart, values: YamlValue, path: str) -> dict[str, YamlValue]:
    """Return what a template sees as its dot."""
    about = {key[:1].upper() + key[1:]: each for key, each in chart.fields.items()}
    minor = _KUBERNETES.split(".")[1]
    return {
        "Values": values,
        "Chart": {**about, "Name": chart.name},
        "Release": {
            "Name": chart.name,
            "Namespace": "default",
            "Service": "Helm",
            "IsInstall": True,
            "IsUpgrade": False,
            "Revision": 1,
        },
        "Template": {"Name": f"{chart.name}/{path}", "BasePath": f"{chart.name}/templates"},
        "Capabilities": {
            "KubeVersion": {
                "Version": _KUBERNETES,
                "GitVersion": _KUBERNETES,
                "Major": "1",
                "Minor": minor,
            },
            "APIVersions": {"Has": Method(lambda name: name in _VERSIONS)},
            "HelmVersion": {"Version": "v3.18.0"},
        },
        "Files": {
            name: Method(_file)
            for name in ("Get", "GetBytes", "Lines", "Glob", "AsConfig", "AsSecrets")
        },
        "Subcharts": {},
    }


def _file(*_arguments: YamlValue) -> YamlValue:
    """Return that the content of a chart's other file is not known here; it is read on its own."""
    return UNKNOWN
