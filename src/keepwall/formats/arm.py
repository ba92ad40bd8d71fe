"""ARM templates: the resources of an Azure deployment, and parameter files, both in JSON.

``[parameters('x')]`` and ``[variables('x')]`` become their literal value where they have one, any
other expression becomes ``${…}``. Template anatomy: learn.microsoft.com, "ARM template structure".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from keepwall.formats.declared import Declared
from keepwall.formats.line_index import LineIndex
from keepwall.formats.safe_json import load_json_with_comments
from keepwall.vocabulary.json_value import JsonValue

_SIMPLE = re.compile(r"\[(parameters|variables)\('([\w-]{1,200})'\)\]\Z")
_AZD_DEFAULT = re.compile(r"\$\{\w{1,200}=([^${}]{0,300})\}\Z")
_MAXIMUM_RESOURCES = 2_000
_DEPTH = 40


def is_arm(data: bytes) -> bool:
    """Return whether `data` may be an ARM template."""
    return b"deploymentTemplate.json" in data and b'"resources"' in data


def read_arm(data: bytes) -> list[Declared]:
    """Return the resources of a template, nested ones and those of nested deployments as well.

    Raises:
        FormatError: it is not JSON (comments are allowed).
    """
    document = load_json_with_comments(data)
    lines = LineIndex(data.decode("utf-8", "replace"))
    return list(_resources(document, {}, lines, 0))[:_MAXIMUM_RESOURCES]


def read_parameters(data: bytes) -> dict[str, JsonValue]:
    """Return the literal values of a parameter file; ``${NAME=default}`` is its default.

    Raises:
        FormatError: it is not JSON.
    """
    document = load_json_with_comments(data)
    table = document.get("parameters") if isinstance(document, Mapping) else None
    found: dict[str, JsonValue] = {}
    for name, entry in table.items() if isinstance(table, Mapping) else ():
        value = entry.get("value") if isinstance(entry, Mapping) else None
        default = _AZD_DEFAULT.match(value) if isinstance(value, str) else None
        if default:
            found[str(name)] = default[1]
        elif isinstance(value, bool | int | float) or (isinstance(value, str) and "$" not in value):
            found[str(name)] = value
    return found


def _resources(
    document: object, given: Mapping[str, JsonValue], lines: LineIndex, depth: int
) -> Iterator[Declared]:
    if not isinstance(document, Mapping) or depth > _DEPTH:
        return
    known = {**_defaults(document), **given}
    table = document.get("resources")
    entries = table.items() if isinstance(table, Mapping) else _numbered(table)
    for symbol, entry in entries:
        if not isinstance(entry, Mapping):
            continue
        kind = entry.get("type")
        if not isinstance(kind, str) or "/" not in kind:
            continue
        body = _plain({key: each for key, each in entry.items() if key != "resources"}, known, 0)
        properties = body if isinstance(body, Mapping) else {}
        name = symbol or _name(properties.get("name"), kind)
        yield Declared(name, kind, properties, lines.at(f'"{kind}"'))
        yield from _resources(entry, known, lines, depth + 1)
        inner = entry.get("properties")
        nested = inner.get("template") if isinstance(inner, Mapping) else None
        yield from _resources(nested, known, lines, depth + 1)


def _numbered(table: object) -> list[tuple[str, object]]:
    return [("", each) for each in table] if isinstance(table, list) else []


def _name(name: JsonValue, kind: str) -> str:
    literal = isinstance(name, str) and "${" not in name and name
    return str(name) if literal else kind.rpartition("/")[2]


def _defaults(document: Mapping[object, object]) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {}
    parameters, variables = document.get("parameters"), document.get("variables")
    for name, entry in parameters.items() if isinstance(parameters, Mapping) else ():
        value = entry.get("defaultValue") if isinstance(entry, Mapping) else None
        if isinstance(value, str | bool | int) and not str(value).startswith("["):
            found[str(name)] = value
    for name, value in variables.items() if isinstance(variables, Mapping) else ():
        if isinstance(value, str | bool | int) and not str(value).startswith("["):
            found.setdefault(str(name), value)
    return found


def _plain(value: object, known: Mapping[str, JsonValue], depth: int) -> JsonValue:
    if depth > _DEPTH:
        return None
    if isinstance(value, str):
        if not (value.startswith("[") and value.endswith("]")) or value.startswith("[["):
            return value
        simple = _SIMPLE.match(value)
        return known.get(simple[2], f"${{{simple[2]}}}") if simple else f"${{{value[1:-1]}}}"
    if isinstance(value, Mapping):
        return {str(name): _plain(each, known, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, known, depth + 1) for each in value]
    return value if isinstance(value, bool | int | float) else None
