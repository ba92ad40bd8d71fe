"""`Envelope` → YAML that `parse` reads back to the same envelope."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from keepwall.formats.envelope.parse import API_VERSION
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.envelope import AddressRule, Envelope, PathRule, Subject
from keepwall.vocabulary.errors import ConfigError

_BREAKS = frozenset("\x85\u2028\u2029")


class _Dumper(yaml.SafeDumper):
    """Indents lists below their key, and keeps every character as it is."""

    def represent_scalar(self, tag: str, value: str, style: str | None = None) -> yaml.ScalarNode:
        """Quote what PyYAML would fold into a line break.

        Raises:
            ConfigError: the text holds what YAML cannot, such as a byte that is not UTF-8.
        """
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ConfigError(
                f"{value!r} cannot be written into an envelope", hint="an envelope holds text"
            ) from error
        node: yaml.ScalarNode = super().represent_scalar(
            tag, value, style='"' if not _BREAKS.isdisjoint(value) else style
        )
        return node

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002, FBT001, FBT002 - PyYAML's signature
        super().increase_indent(flow, indentless=False)


def render(envelope: Envelope) -> str:
    """Return the envelope as YAML.

    Raises:
        ConfigError: a path or name in it is not text.
    """
    metadata: dict[str, object] = {"name": envelope.name}
    if envelope.labels:
        metadata["labels"] = dict(envelope.labels)
    spec: dict[str, object] = {}
    if envelope.subject != Subject():
        spec["subject"] = _subject(envelope.subject)
    spec["planes"] = [str(plane) for plane in envelope.planes]
    spec["mode"] = str(envelope.mode)
    spec["minimumStrength"] = str(envelope.minimum_strength)
    spec.update(_sections(envelope))
    document = {
        "apiVersion": API_VERSION,
        "kind": "Envelope",
        "metadata": metadata,
        "spec": spec,
    }
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def _sections(envelope: Envelope) -> dict[str, object]:
    found: dict[str, object] = {}
    if (process := envelope.process) is not None:
        found["process"] = {
            "allow": _paths(process.allow),
            "capabilities": list(process.capabilities),
            **_default(process.default),
        }
    if (file := envelope.file) is not None:
        found["file"] = {
            "read": _paths(file.read),
            "write": _paths(file.write),
            **({"deny": _paths(file.deny)} if file.deny else {}),
            **_default(file.default),
        }
    if (network := envelope.network) is not None:
        found["network"] = {
            "egress": _addresses(network.egress, "to"),
            **({"ingress": _addresses(network.ingress, "from")} if network.ingress else {}),
            "listen": [_listen(rule) for rule in network.listen],
            **_default(network.default),
        }
    if envelope.models is not None:
        found["models"] = [
            {
                "name": rule.name,
                **({"tokensPerMinute": rule.tokens_per_minute} if rule.tokens_per_minute else {}),
            }
            for rule in envelope.models
        ]
    if envelope.tools is not None:
        found["tools"] = [
            {"server": rule.server, "tool": rule.tool, **({"when": rule.when} if rule.when else {})}
            for rule in envelope.tools
        ]
    if (data := envelope.data) is not None:
        found["data"] = {
            "read": list(data.read),
            "egress": list(data.egress),
            "mask": list(data.mask),
        }
    return found


def _subject(subject: Subject) -> dict[str, object]:
    if subject.selector:
        return {"workload": {"namespace": subject.namespace, "selector": dict(subject.selector)}}
    if subject.unit:
        return {"unit": subject.unit}
    return {"image": subject.image} if subject.image else {"spiffe": subject.spiffe}


def _default(effect: Effect) -> dict[str, object]:
    return {} if effect is Effect.DENY else {"default": str(effect)}


def _paths(rules: Iterable[PathRule]) -> list[object]:
    return [_path(rule) for rule in rules]


def _path(rule: PathRule) -> object:
    if rule.action is Effect.ALLOW and not rule.source and not rule.owner:
        return rule.path
    found: dict[str, object] = {"path": rule.path}
    if rule.action is not Effect.ALLOW:
        found["action"] = str(rule.action)
    if rule.source:
        found["from"] = rule.source
    if rule.owner:
        found["owner"] = True
    return found


def _addresses(rules: Iterable[AddressRule], key: str) -> list[object]:
    found: list[object] = []
    for rule in rules:
        each: dict[str, object] = {key: rule.peer}
        if rule.ports:
            each["ports"] = list(rule.ports)
        if rule.action is not Effect.ALLOW:
            each["action"] = str(rule.action)
        found.append(each)
    return found


def _listen(rule: AddressRule) -> str:
    host = f"[{rule.peer}]" if ":" in rule.peer else rule.peer
    return f"{host}:{rule.ports[0] if rule.ports else '*'}"
