"""YAML that others wrote: built from parser events under bounds, plain values only, with lines.

No tag constructs anything. An alias counts as much as what it stands for, so that a small file
cannot stand for a large tree. Keys stay the text that was written (``on:`` is ``"on"``, not True);
plain scalars follow YAML 1.1, as the tools that read such files do.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from keepwall.vocabulary.errors import FormatError

YamlValue = object
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]{0,18})\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9]{1,18}\.[0-9]{0,18}|\.[0-9]{1,18})(?:[eE][-+]?[0-9]{1,3})?\Z")
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
}


@dataclass(frozen=True, slots=True)
class YamlLimits:
    """Bounds of one file: nodes (aliases expanded), nesting and documents."""

    nodes: int = 200_000
    depth: int = 64
    documents: int = 2_000


class YamlMap(dict[str, YamlValue]):
    """A mapping; `line` is where it starts and `lines` where each key stands, from 1.

    `repeated` holds keys that were written more than once, with the line of the later one.
    """

    __slots__ = ("line", "lines", "repeated")

    def __init__(self, line: int = 0) -> None:
        super().__init__()
        self.line = line
        self.lines: dict[str, int] = {}
        self.repeated: list[tuple[str, int]] = []

    def line_of(self, key: str) -> int:
        """Return the line of `key`, or of the mapping where the key came from a merge."""
        return self.lines.get(key, self.line)


class YamlList(list[YamlValue]):
    """A sequence; `lines` holds the line of each item, from 1."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


@dataclass(slots=True)
class _Open:
    """A collection that is being filled; `size` counts its nodes, `key` waits for its value."""

    value: YamlMap | YamlList
    anchor: str | None
    size: int = 1
    key: str | None = None
    key_line: int = 0
    merges: list[YamlValue] = field(default_factory=list)


def load_yaml(data: bytes, limits: YamlLimits = YamlLimits()) -> list[YamlValue]:
    """Return the documents of `data` as plain values, mappings as `YamlMap`.

    Raises:
        FormatError: it is not UTF-8 or YAML, or goes over `limits`; the place is a line.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return list(_Builder(limits).documents(yaml.parse(text, Loader=loader)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f"line {mark.line + 1}" if mark else ""
        raise FormatError(f"not YAML: {error.problem or error.context}", place=place) from error
    except yaml.YAMLError as error:
        raise FormatError(f"not YAML: {str(error).splitlines()[0]}") from error


class _Builder:
    """Turns the events of one file into documents."""

    def __init__(self, limits: YamlLimits) -> None:
        self._limits = limits
        self._nodes = 0
        self._stack: list[_Open] = []
        self._anchors: dict[str, tuple[YamlValue, int]] = {}
        self._root: YamlValue = None

    def documents(self, events: Iterator[yaml.Event]) -> Iterator[YamlValue]:
        count = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                count += 1
                if count > self._limits.documents:
                    raise FormatError(f"more than {self._limits.documents} documents")
                self._anchors.clear()
                self._root = None
            elif isinstance(event, yaml.DocumentEndEvent):
                yield self._root
            else:
                self._node(event)

    def _node(self, event: yaml.Event) -> None:
        line = event.start_mark.line + 1 if event.start_mark else 0
        if isinstance(event, yaml.ScalarEvent):
            is_key = self._expects_key()
            value = event.value if is_key else _scalar(event)
            self._count(1, line)
            self._add(value, 1, line, event.anchor)
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:
                raise FormatError(
                    f"unknown or recursive alias {event.anchor}", place=f"line {line}"
                )
            value, size = self._anchors[event.anchor]
            self._count(size, line)
            self._add(value, size, line, None)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            if len(self._stack) >= self._limits.depth:
                raise FormatError(
                    f"nested deeper than {self._limits.depth} levels", place=f"line {line}"
                )
            self._count(1, line)
            mapping = isinstance(event, yaml.MappingStartEvent)
            self._stack.append(_Open(YamlMap(line) if mapping else YamlList(), event.anchor))
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            done = self._stack.pop()
            if isinstance(done.value, YamlMap):
                _merge(done.value, done.merges)
            self._add(done.value, done.size, line, done.anchor)

    def _expects_key(self) -> bool:
        return bool(
            self._stack
            and isinstance(self._stack[-1].value, YamlMap)
            and self._stack[-1].key is None
        )

    def _count(self, nodes: int, line: int) -> None:
        self._nodes += nodes
        if self._nodes > self._limits.nodes:
            raise FormatError(f"more than {self._limits.nodes} values", place=f"line {line}")

    def _add(self, value: YamlValue, size: int, line: int, anchor: str | None) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)
        if not self._stack:
            self._root = value
            return
        parent = self._stack[-1]
        parent.size += size
        if isinstance(parent.value, YamlList):
            parent.value.append(value)
            # An item that is a mapping ends later than where a person looks for it.
            parent.value.lines.append(value.line if isinstance(value, YamlMap) else line)
        elif parent.key is None:
            parent.key, parent.key_line = _key(value), line
        else:
            if parent.key == "<<":
                parent.merges.append(value)
            else:
                if parent.key in parent.value:
                    parent.value.repeated.append((parent.key, parent.key_line))
                parent.value[parent.key] = value
                parent.value.lines[parent.key] = parent.key_line
            parent.key = None


def _key(value: YamlValue) -> str:
    return value if isinstance(value, str) else type(value).__name__


def _merge(target: YamlMap, merges: list[YamlValue]) -> None:
    """Fill in what ``<<`` brings; keys that are written out win."""
    for merge in merges:
        for source in merge if isinstance(merge, YamlList) else [merge]:
            if isinstance(source, YamlMap):
                for key, value in source.items():
                    target.setdefault(key, value)


def _scalar(event: yaml.ScalarEvent) -> YamlValue:
    """Return the value of a plain scalar (YAML 1.1 words and numbers), else its text."""
    text: str = event.value
    if not event.implicit[0] and event.tag != "tag:yaml.org,2002:bool":
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INTEGER.match(text):
        return int(text)
    if _FLOAT.match(text):
        return float(text)
    return text
