"""Text of an envelope → `Envelope`, or an error that names ``path:line``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from keepwall.formats.envelope import sections
from keepwall.formats.envelope.reader import Reader
from keepwall.formats.safe_yaml import YamlLimits, load_yaml
from keepwall.formats.spiffe import checked_spiffe_id
from keepwall.vocabulary.decision import Plane, Strength
from keepwall.vocabulary.envelope import Envelope, Mode, Subject
from keepwall.vocabulary.errors import ConfigError, FormatError

API_VERSION = "keepwall.dev/v1"
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\Z")
_SIZE = 1 << 20
_SPEC = (
    "subject",
    "planes",
    "mode",
    "minimumStrength",
    "process",
    "file",
    "network",
    "models",
    "tools",
    "data",
)

Section = TypeVar("Section")


def parse(text: bytes, origin: str) -> Envelope:
    """Return the envelope in `text`; `origin` names it in messages.

    Raises:
        ConfigError: it is not one valid envelope; says where.
    """
    if len(text) > _SIZE:
        raise ConfigError(f"an envelope has at most {_SIZE >> 20} MiB", place=origin)
    try:
        documents = load_yaml(text, YamlLimits(nodes=100_000, depth=12, documents=1))
    except FormatError as error:
        place = f"{origin}:{error.place.removeprefix('line ')}" if error.place else origin
        raise ConfigError(error.message.removeprefix(f"{error.place}: "), place=place) from error
    if not documents or documents[0] is None:
        raise ConfigError("the file is empty", place=origin, hint="keepwall run --learn writes one")
    top = Reader.of(
        origin, "an envelope", documents[0], 1, ("apiVersion", "kind", "metadata", "spec")
    )
    if top.text("apiVersion") != API_VERSION or top.text("kind") != "Envelope":
        raise top.error("apiVersion", f"not an Envelope of {API_VERSION}")
    metadata = Reader.of(
        origin, "metadata", top.value.get("metadata"), top.line("metadata"), ("name", "labels")
    )
    name = metadata.text("name")
    if not _NAME.match(name):
        raise metadata.error("name", f"{name!r} is no name: lower case letters, digits and -")
    spec = Reader.of(origin, "spec", top.value.get("spec"), top.line("spec"), _SPEC)
    planes = _planes(spec)
    return Envelope(
        name=name,
        labels=metadata.mapping("labels"),
        planes=planes,
        subject=_subject(spec),
        mode=spec.word("mode", Mode, Mode.ENFORCE),
        minimum_strength=spec.word("minimumStrength", Strength, Strength.PREVENTED),
        process=_section(spec, "process", sections.process, ("allow", "capabilities", "default")),
        file=_section(spec, "file", sections.file, ("read", "write", "deny", "default")),
        network=_section(
            spec, "network", sections.network, ("egress", "ingress", "listen", "default")
        ),
        models=sections.models(spec) if "models" in spec.value else None,
        tools=sections.tools(spec) if "tools" in spec.value else None,
        data=_section(spec, "data", sections.data, ("read", "egress", "mask")),
        origin=origin,
    )


def _section(
    spec: Reader, key: str, read: Callable[[Reader], Section], words: tuple[str, ...]
) -> Section | None:
    if key not in spec.value:
        return None
    return read(Reader.of(spec.origin, key, spec.value[key], spec.line(key), words))


def _planes(spec: Reader) -> tuple[Plane, ...]:
    found = []
    for item, line in spec.items("planes"):
        if item not in [str(plane) for plane in Plane]:
            raise ConfigError(
                f"{item!r} is no plane",
                place=f"{spec.origin}:{line}",
                hint="known: " + ", ".join(Plane),
            )
        found.append(Plane(str(item)))
    if not found:
        raise spec.error("planes", "spec.planes must name at least one plane")
    return tuple(dict.fromkeys(found))


def _subject(spec: Reader) -> Subject:
    if "subject" not in spec.value:
        return Subject()
    words = ("spiffe", "workload", "unit", "image")
    reader = Reader.of(spec.origin, "subject", spec.value["subject"], spec.line("subject"), words)
    if len(reader.value) != 1:
        raise spec.error("subject", "a subject is exactly one of " + ", ".join(words))
    if "spiffe" in reader.value:
        spiffe = reader.text("spiffe")
        try:
            return Subject(spiffe=checked_spiffe_id(spiffe))
        except FormatError as error:
            raise reader.error("spiffe", f"no SPIFFE ID: {error.message}") from error
    if "workload" in reader.value:
        workload = Reader.of(
            spec.origin,
            "workload",
            reader.value["workload"],
            reader.line("workload"),
            ("namespace", "selector"),
        )
        selector = workload.mapping("selector")
        if not selector:
            raise workload.error("selector", "a selector that is empty would match everything")
        return Subject(namespace=workload.text("namespace"), selector=selector)
    if "unit" in reader.value:
        return Subject(unit=reader.text("unit"))
    return Subject(image=reader.text("image"))
