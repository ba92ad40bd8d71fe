"""CloudFormation, SAM and what the CDK writes: the resources of a template, in YAML or JSON.

Intrinsic functions become references, ``${Name}``; one to a parameter with a default becomes the
default. Template anatomy: AWS CloudFormation user guide, "Template sections".
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from keepwall.formats.declared import Declared
from keepwall.formats.line_index import LineIndex
from keepwall.formats.safe_json import load_json
from keepwall.formats.safe_yaml import YamlLimits, YamlMap, load_yaml
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.json_value import JsonValue

_SHORT = re.compile(
    r"(?<=[\s\[,])!(?:Ref|GetAtt|ImportValue|Condition)[ \t]+[\"']?([\w.:-]{1,200})[\"']?"
)
_TYPE = re.compile(r"(?:AWS|Alexa|Custom|Google|Azure)::[\w:@-]{1,200}\Z|[\w-]+::[\w-]+::[\w:-]+\Z")
_MAXIMUM_RESOURCES = 2_000
_DEPTH = 60


def is_cloudformation(data: bytes) -> bool:
    """Return whether `data` may be a template; to parse it decides."""
    return b"Resources" in data and (
        b"AWSTemplateFormatVersion" in data or b"AWS::" in data or b"Transform" in data
    )


def read_cloudformation(data: bytes, limits: YamlLimits | None = None) -> list[Declared]:
    """Return the resources of a template, none where it is something else.

    Raises:
        FormatError: it is neither YAML nor JSON, or goes over `limits`.
    """
    limits = limits or YamlLimits()
    if data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        document, lines = load_json(data, depth=limits.depth), LineIndex(_text(data))
    else:
        text = _SHORT.sub(lambda found: f'"${{{found[1]}}}"', _text(data))
        documents = load_yaml(text.encode(), limits)
        document, lines = documents[0] if documents else None, None
    if not isinstance(document, Mapping):
        return []
    resources, parameters = document.get("Resources"), document.get("Parameters")
    defaults = _defaults(parameters)
    found: list[Declared] = []
    for name, entry in resources.items() if isinstance(resources, Mapping) else ():
        type_ = entry.get("Type") if isinstance(entry, Mapping) else None
        if not isinstance(type_, str) or not _TYPE.match(type_):
            continue
        line = lines.at(f'"{name}"') if lines else _line(resources, name)
        properties = _plain(entry.get("Properties"), defaults, 0)
        whole = properties if isinstance(properties, Mapping) else {}
        found.append(Declared(str(name), type_, whole, line))
        if len(found) >= _MAXIMUM_RESOURCES:
            break
    return found


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8: {error.reason} at byte {error.start}") from error


def _line(resources: object, name: str) -> int:
    return resources.line_of(name) if isinstance(resources, YamlMap) else 0


def _defaults(parameters: object) -> dict[str, str]:
    """Return the parameters that say what they are where nobody says otherwise."""
    found = parameters.items() if isinstance(parameters, Mapping) else ()
    return {
        str(name): str(entry["Default"])
        for name, entry in found
        if isinstance(entry, Mapping) and isinstance(entry.get("Default"), str | int)
    }


def _plain(value: object, defaults: Mapping[str, str], depth: int) -> JsonValue:
    """Return a value with intrinsic functions as texts with references."""
    if depth > _DEPTH:
        return None
    if isinstance(value, str):
        name = value[2:-1] if value.startswith("${") and value.endswith("}") else ""
        return defaults.get(name, value)
    if isinstance(value, Mapping):
        if len(value) == 1 and (known := _intrinsic(value, defaults)) is not None:
            return known
        return {str(name): _plain(each, defaults, depth + 1) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each, defaults, depth + 1) for each in value]
    return value if isinstance(value, bool | int | float) else None


def _intrinsic(value: Mapping[object, object], defaults: Mapping[str, str]) -> str | None:
    """Return what a function in its long form stands for; None where it is none that refers."""
    [(function, argument)] = value.items()
    if function == "Ref" and isinstance(argument, str):
        return defaults.get(argument, f"${{{argument}}}")
    if function == "Fn::GetAtt":
        parts = argument if isinstance(argument, list) else [argument]
        return f"${{{'.'.join(str(each) for each in parts[:3])}}}"
    if function == "Fn::Sub":
        text = argument[0] if isinstance(argument, list) and argument else argument
        return text if isinstance(text, str) else None
    if function == "Fn::ImportValue":
        return "${ImportValue}"
    return None
