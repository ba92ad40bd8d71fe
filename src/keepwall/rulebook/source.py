"""YAML that remembers its lines, so that an error can point into the rule."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import yaml

from keepwall.vocabulary.errors import RuleError
from keepwall.vocabulary.json_value import JsonValue

MAX_RULE_BYTES = 262_144
_MAX_DEPTH = 24
_PLAIN_TAGS = frozenset(f"tag:yaml.org,2002:{name}" for name in ("int", "float", "bool", "null"))


@dataclass(frozen=True, slots=True)
class Marked:
    """A YAML node: its value, and where it stands (`origin` is a path, `line` is from 1)."""

    value: bool | int | float | str | list[Marked] | dict[str, Marked] | None
    origin: str
    line: int

    def error(self, message: str, *, hint: str = "") -> RuleError:
        """Return an error that points at this node."""
        return RuleError(message, place=f"{self.origin}:{self.line}", hint=hint)

    def mapping(self) -> Mapping[str, Marked]:
        """Return the entries; raises RuleError if this is no mapping."""
        if not isinstance(self.value, dict):
            raise self.error("a mapping is expected here")
        return self.value

    def items(self) -> list[Marked]:
        """Return the entries of a list that is not empty; raises RuleError otherwise."""
        if not isinstance(self.value, list) or not self.value:
            raise self.error("a list with at least one entry is expected here")
        return self.value

    def text(self) -> str:
        """Return a string that is not blank; raises RuleError otherwise."""
        if not isinstance(self.value, str) or not self.value.strip():
            raise self.error("a text is expected here")
        return self.value

    def plain(self) -> JsonValue:
        """Return the value without its marks."""
        if isinstance(self.value, dict):
            return {key: entry.plain() for key, entry in self.value.items()}
        if isinstance(self.value, list):
            return [entry.plain() for entry in self.value]
        return self.value

    def keys_within(self, allowed: frozenset[str], required: frozenset[str] = frozenset()) -> None:
        """Raise RuleError for a key that is not allowed or a required one that is absent."""
        entries = self.mapping()
        for key, entry in entries.items():
            if key not in allowed:
                raise entry.error(
                    f"unknown key {key!r}", hint=f"known here: {', '.join(sorted(allowed))}"
                )
        if missing := sorted(required - entries.keys()):
            raise self.error(f"{' and '.join(missing)} missing")


def parse(text: str, origin: str) -> Marked:
    """Return the one document in `text`, with lines.

    Anchors, duplicate keys, deep nesting and more than `MAX_RULE_BYTES` are refused.

    Raises:
        RuleError: the text is not such a document.
    """
    if len(text) > MAX_RULE_BYTES:
        raise RuleError(f"a rule has at most {MAX_RULE_BYTES} characters", place=f"{origin}:1")
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _refuse_tricks(yaml.parse(text, Loader=loader), origin)
        node = yaml.compose(text, Loader=loader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise RuleError(f"not YAML: {error.problem}", place=f"{origin}:{line}") from error
    except yaml.YAMLError as error:
        raise RuleError("not YAML: a character that YAML forbids", place=f"{origin}:1") from error
    if node is None:
        raise RuleError("the file is empty", place=f"{origin}:1")
    return _marked(node, origin, node.start_mark.line + 1)


def _refuse_tricks(events: Iterator[yaml.Event], origin: str) -> None:
    depth = 0
    for event in events:
        line = event.start_mark.line + 1 if event.start_mark else 1
        if isinstance(event, yaml.AliasEvent):
            raise RuleError("aliases are not allowed in rules", place=f"{origin}:{line}")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > _MAX_DEPTH:
                raise RuleError("nested too deeply", place=f"{origin}:{line}")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _marked(node: yaml.Node, origin: str, line: int) -> Marked:
    if isinstance(node, yaml.SequenceNode):
        return Marked(
            [_marked(item, origin, item.start_mark.line + 1) for item in node.value], origin, line
        )
    if isinstance(node, yaml.MappingNode):
        entries: dict[str, Marked] = {}
        for key, value in node.value:
            key_line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode) or key.value in entries:
                raise RuleError("a key is no text, or there twice", place=f"{origin}:{key_line}")
            entries[key.value] = _marked(value, origin, key_line)
        return Marked(entries, origin, line)
    if node.tag in _PLAIN_TAGS:
        return Marked(yaml.constructor.SafeConstructor().construct_object(node), origin, line)
    return Marked(str(node.value), origin, line)
