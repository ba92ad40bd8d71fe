"""The published JSON Schemas: one for every JSON document that leaves the program.

They are generated from the vocabulary, so a schema cannot say anything that the code does not.
"""

from __future__ import annotations

import functools
import operator
import types
from collections.abc import Hashable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from datetime import datetime
from typing import Annotated, Any, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from keepwall.vocabulary.asset import Asset, Relation
from keepwall.vocabulary.decision import Decision, RuleOutcome
from keepwall.vocabulary.envelope import EnvelopeGeneration
from keepwall.vocabulary.errors import ConfigError, FormatError
from keepwall.vocabulary.event import EventClass
from keepwall.vocabulary.evidence import Evidence
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.finding import Finding
from keepwall.vocabulary.identity import PlaneStatus, Registration, Revocation
from keepwall.vocabulary.incident import Containment
from keepwall.vocabulary.label import Label
from keepwall.vocabulary.scan import ScanResult

Contract = TypeVar("Contract")

BASE = "https://keepwall.dev/schemas/v1/"
DIALECT = "https://json-schema.org/draft/2020-12/schema"

CONTRACTS: Mapping[str, type] = {
    "asset": Asset,
    "containment": Containment,
    "decision": Decision,
    "envelope-generation": EnvelopeGeneration,
    "evidence": Evidence,
    "fact": Fact,
    "finding": Finding,
    "label": Label,
    "plane-status": PlaneStatus,
    "registration": Registration,
    "relation": Relation,
    "revocation": Revocation,
    "rule-outcome": RuleOutcome,
    "scan-result": ScanResult,
}
"""Every document that is a word of the vocabulary, by the name of its schema."""


class OcsfRecord(msgspec.Struct):
    """An OCSF record: what Keepwall promises of each one; OCSF itself defines the other fields."""

    class_uid: EventClass
    category_uid: int
    activity_id: int
    type_uid: int
    time: int
    severity_id: int
    metadata: dict[str, Any]


NAMES: tuple[str, ...] = tuple(sorted((*CONTRACTS, "event")))
"""The names of all published schemas."""


def schema(name: str) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) called `name`, a new dictionary each time.

    Raises:
        ConfigError: there is no schema of that name.
    """
    if name not in NAMES:
        raise ConfigError(f"there is no schema {name!r}", hint="keepwall schema --list names them")
    shape = OcsfRecord if name == "event" else _border_type(CONTRACTS[name])
    (reference,), components = msgspec.json.schema_components(
        (shape,), ref_template="#/$defs/{name}"
    )
    own = reference["$ref"].rsplit("/", 1)[-1]
    top = components.pop(own)
    document = {"$schema": DIALECT, "$id": f"{BASE}{name}.json", **top}
    if components:
        document["$defs"] = dict(sorted(components.items()))
    return document


def decode_contract(contract: type[Contract], data: bytes) -> Contract:
    """Return the word of the vocabulary that `data` holds as JSON; times must carry a zone.

    Raises:
        FormatError: `data` is not JSON or not that contract.
    """
    try:
        shape = _border_type(cast("Hashable", contract))
        return cast("Contract", _word(msgspec.json.decode(data, type=shape)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"this is not a valid {contract.__name__}: {error}") from error


@functools.cache
def _border_type(word: type[Any]) -> type[msgspec.Struct]:
    """Return the shape of a dataclass at the border.

    msgspec cannot follow the recursive `JsonValue` and would let times without a zone pass, so
    the shape says *any* and *aware* in those places.
    """
    hints = get_type_hints(word, localns={"JsonValue": Any})
    members: list[Any] = []
    for each in fields(word):
        kind = _border_annotation(hints[each.name])
        if each.default is not MISSING:
            members.append((each.name, kind, each.default))
        elif each.default_factory is not MISSING:
            members.append((each.name, kind, msgspec.field(default_factory=each.default_factory)))
        else:
            members.append((each.name, kind))
    return msgspec.defstruct(
        word.__name__, members, frozen=True, namespace={"__doc__": word.__doc__, "word": word}
    )


def _border_annotation(kind: Any) -> Any:
    if kind is datetime:
        return Annotated[datetime, msgspec.Meta(tz=True)]
    if is_dataclass(kind):
        return _border_type(cast("type", kind))
    origin, arguments = get_origin(kind), get_args(kind)
    if not arguments:
        return kind
    inner = tuple(each if each is Ellipsis else _border_annotation(each) for each in arguments)
    if origin is types.UnionType:
        return functools.reduce(operator.or_, inner)
    return origin[inner]


def _word(value: Any) -> Any:
    """Return a decoded border value as the dataclasses that it stands for."""
    if isinstance(value, msgspec.Struct):
        word = type(value).word  # type: ignore[attr-defined]  # set by _border_type
        return word(**{name: _word(getattr(value, name)) for name in value.__struct_fields__})
    if isinstance(value, tuple):
        return tuple(map(_word, value))
    return value
