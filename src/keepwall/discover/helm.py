"""Helm charts, rendered with their own values: what they would run, and on which other charts.

A chart is read from its ``Chart.yaml``; its templates are no YAML of their own. The release is
taken to be named as the chart, in the namespace ``default``.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator

from keepwall.discover.kubernetes_objects import observe_objects
from keepwall.discover.source import FileView, Source, TreeContext, uses
from keepwall.formats.helm import (
    Chart,
    ChartDependency,
    Manifest,
    read_chart,
    read_values,
    render_chart,
    switched_off,
    with_dependency,
    with_parent,
)
from keepwall.formats.kubernetes import Workload, read_objects
from keepwall.formats.safe_yaml import YamlValue
from keepwall.vocabulary.asset import Asset, AssetKind
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

_TEMPLATES = 400
_BYTES_PER_TEMPLATE = 1 << 20
_BYTES = 4 << 20
_FOLDERS = 60
_PARENTS = 4
_SUFFIXES = (".yaml", ".yml", ".tpl", ".txt")


def _wants(path: str, _context: TreeContext) -> bool:
    return posixpath.basename(path) == "Chart.yaml"


def is_template(path: str, context: TreeContext) -> bool:
    """Return whether a file is a template of a chart, and so no YAML before it is rendered."""
    parts = path.split("/")[:-1]
    return any(
        part == "templates" and "Chart.yaml" in context.near.files("/".join(parts[:at]))
        for at, part in enumerate(parts)
    )


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    chart = read_chart(view.data)
    if chart is None:
        return
    folder = posixpath.dirname(view.path)
    values = _values(folder, chart, context, _PARENTS)
    for each in chart.dependencies[:_TEMPLATES]:
        own = context.near.read(
            posixpath.join(folder, "charts", each.name, "values.yaml"), _BYTES_PER_TEMPLATE
        )
        values = with_dependency(values, each.alias, None if own is None else read_values(own))
        yield from _dependency(each, values, view, context)
    if chart.library or _switched_off_by_parent(folder, chart, context):
        return
    templates, refused = _templates(folder, context)
    yield from refused
    for manifest in render_chart(chart, values, templates):
        yield from _manifest(manifest, folder, chart, context)


def _manifest(
    manifest: Manifest, folder: str, chart: Chart, context: TreeContext
) -> Iterator[Observation]:
    path = posixpath.join(folder, manifest.path)
    view = FileView(path, b"")
    found: list[Workload] = list(read_objects(list(manifest.documents)))
    attributes = {"chart": chart.name, "chart_version": chart.version}
    yield from observe_objects(found, view, context, attributes)
    # Places that fail matter where something runs, or where nothing could be rendered at all.
    if manifest.problems and (not found or any(each.containers for each in found)):
        line, reason = manifest.problems[0]
        more = len(manifest.problems) - 1
        also = f"; {more} more places" if more else ""
        place = f"line {line} " if line else ""
        yield Unread(path, f"a template whose {place or 'text '}{_verb(reason)}{also}")


def _verb(reason: str) -> str:
    return reason if reason.split(" ", 1)[0].endswith("s") else f"is not rendered: {reason}"


def _dependency(
    found: ChartDependency, values: YamlValue, view: FileView, context: TreeContext
) -> Iterator[Observation]:
    """Yield the AI software that another chart brings along, unless the values switch it off."""
    program = context.catalogue.programs.get(found.name)
    kinds = {
        "model-server": AssetKind.INFERENCE_SERVER,
        "gateway": AssetKind.INFERENCE_SERVER,
        "vector-store": AssetKind.VECTOR_STORE,
        "tracking": AssetKind.EXPERIMENT_TRACKER,
    }
    if program is None or program.role not in kinds or switched_off(found.condition, values):
        return
    kind = kinds[program.role]
    service = Asset(kind, found.name, found.name, program.surface, view.at(found.line))
    yield service
    yield uses(context.project, service)
    value: dict[str, JsonValue] = {"name": found.name, "role": str(kind), "via": "dependency"}
    yield Fact("service.used", context.project.id, value, view.path, found.line)


def _values(folder: str, chart: Chart, context: TreeContext, parents: int) -> YamlValue:
    """Return the values that count for a chart, with what its parent says of it."""
    data = context.near.read(posixpath.join(folder, "values.yaml"), _BYTES_PER_TEMPLATE)
    values = read_values(data) if data is not None else {}
    parent, above = _parent(folder, context)
    if parent is None or not parents:
        return values
    names = tuple(
        name
        for each in parent.dependencies
        if each.name in (chart.name, posixpath.basename(folder))
        for name in (each.alias, each.name)
    )
    return with_parent(values, _values(above, parent, context, parents - 1), (*names, chart.name))


def _switched_off_by_parent(folder: str, chart: Chart, context: TreeContext) -> bool:
    parent, above = _parent(folder, context)
    if parent is None:
        return False
    values = _values(above, parent, context, _PARENTS)
    return any(
        each.name == chart.name and switched_off(each.condition, values)
        for each in parent.dependencies
    )


def _parent(folder: str, context: TreeContext) -> tuple[Chart | None, str]:
    """Return the chart that holds this one in its ``charts`` folder, and its folder."""
    charts = posixpath.dirname(folder)
    above = posixpath.dirname(charts)
    if posixpath.basename(charts) != "charts":
        return None, ""
    data = context.near.read(posixpath.join(above, "Chart.yaml"), _BYTES_PER_TEMPLATE)
    try:
        return (read_chart(data) if data is not None else None), above
    except FormatError:
        return None, ""  # named where that chart itself is read


def _templates(folder: str, context: TreeContext) -> tuple[dict[str, str], list[Unread]]:
    """Return the templates of a chart by their paths in it, and what was left out."""
    found: dict[str, str] = {}
    refused: list[Unread] = []
    waiting, size, folders = ["templates", "charts"], 0, 0
    while waiting and folders < _FOLDERS:
        inner = waiting.pop(0)
        folders += 1
        place = posixpath.join(folder, inner)
        names = context.near.files(place)
        if "Chart.yaml" in names and inner != "templates":
            # Only what a subchart defines by name is of use here; it is rendered on its own.
            waiting.append(f"{inner}/templates")
            continue
        subchart = inner.startswith("charts")
        for name in names:
            if not name.endswith((".tpl",) if subchart else _SUFFIXES) or name == "NOTES.txt":
                continue
            data = context.near.read(posixpath.join(place, name), _BYTES_PER_TEMPLATE)
            size += len(data or b"")
            if data is None or size > _BYTES or len(found) >= _TEMPLATES:
                refused.append(Unread(posixpath.join(place, name), "more than is read of a chart"))
                if len(refused) > 10:  # noqa: PLR2004 - the rest is the same
                    return found, refused
                continue
            found[f"{inner}/{name}"] = data.decode("utf-8", "replace")
        if not subchart or inner.count("/") == 0:
            waiting += [f"{inner}/{each}" for each in context.near.folders(place)]
    return found, refused


HELM_CHARTS = Source("helm", _wants, _observe)
