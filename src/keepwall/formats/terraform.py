"""Terraform and OpenTofu: blocks of HCL (or its JSON form) with literals and references.

The text is parsed by a grammar and nothing is evaluated: what is no literal stays as ``${text}``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import tree_sitter
import tree_sitter_hcl

from keepwall.formats.safe_json import load_json
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.json_value import JsonValue

_DEPTH = 60
_NODES = 200_000
_TEXT = 4_000
_REFERENCE = re.compile(r"\$\{([^{}]{1,4000})\}")
_ADDRESS = re.compile(r"(?<![\w.\"-])((?:data\.)?[a-z][a-z0-9]*_[a-z0-9_]+\.[A-Za-z_][\w-]*)")
_LOCAL = re.compile(r"\blocal\.([A-Za-z_][\w-]*)")
_NUMBER = re.compile(r"-?\d{1,18}\Z")


@dataclass(frozen=True, slots=True)
class Block:
    """A top-level block: ``resource "type" "name" { … }`` has the labels (type, name).

    Of a block inside, `attributes` holds a mapping under its kind, or a list where it is repeated;
    `lines` gives the line of each attribute.
    """

    kind: str
    labels: tuple[str, ...]
    attributes: Mapping[str, JsonValue]
    lines: Mapping[str, int] = field(default_factory=dict)
    line: int = 0

    @property
    def address(self) -> str:
        """How other blocks refer to it: ``type.name``, for data ``data.type.name``."""
        start = ("data",) if self.kind == "data" else ()
        return ".".join((*start, *self.labels))


def read_terraform(data: bytes) -> tuple[list[Block], int]:
    """Return the blocks of a ``.tf`` file, and the line of the first part that is no HCL (or 0).

    Raises:
        FormatError: it nests too deeply or is too large.
    """
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))
    tree = parser.parse(data)
    reader = _Reader(data)
    body = next((each for each in tree.root_node.named_children if each.type == "body"), None)
    found = (
        []
        if body is None
        else [reader.block(each) for each in body.named_children if each.type == "block"]
    )
    return found, _first_error(tree.root_node)


def read_variables(data: bytes) -> Mapping[str, JsonValue]:
    """Return the values of a ``.tfvars`` file.

    Raises:
        FormatError: as `read_terraform`.
    """
    parser = tree_sitter.Parser(tree_sitter.Language(tree_sitter_hcl.language()))
    root = parser.parse(data).root_node
    body = next((each for each in root.named_children if each.type == "body"), None)
    return {} if body is None else _Reader(data).attributes(body, 0)[0]


def read_terraform_json(data: bytes) -> list[Block]:
    """Return the resources and data blocks of a ``.tf.json`` file.

    Raises:
        FormatError: it is not JSON.
    """
    document = load_json(data, depth=_DEPTH, nodes=_NODES)
    if not isinstance(document, dict):
        raise FormatError("not Terraform: the document is no object")
    return [
        Block(kind, (type_, name), value)
        for kind in ("resource", "data")
        for type_, named in _map(document.get(kind)).items()
        for name, value in _map(named).items()
        if isinstance(value, dict)
    ]


def references(text: str, local: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield the addresses (``type.name``) that a text refers to, also through one of `local`."""
    for inner in _REFERENCE.findall(text):
        yield from _ADDRESS.findall(inner)
        for name in _LOCAL.findall(inner):
            value = local.get(name)
            if isinstance(value, str):
                for behind in _REFERENCE.findall(value):
                    yield from _ADDRESS.findall(behind)


def local_values(blocks: list[Block]) -> Mapping[str, JsonValue]:
    """Return what the ``locals`` blocks name."""
    return {
        name: value
        for block in blocks
        if block.kind == "locals"
        for name, value in block.attributes.items()
    }


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _first_error(root: tree_sitter.Node) -> int:
    if not root.has_error:
        return 0
    node = root
    for _ in range(_DEPTH):
        if node.is_error or node.is_missing:
            break
        inner = next((each for each in node.children if each.has_error or each.is_missing), None)
        if inner is None:
            break
        node = inner
    return int(node.start_point.row) + 1


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._nodes = 0

    def block(self, node: tree_sitter.Node) -> Block:
        words = [
            self._label(each)
            for each in node.named_children
            if each.type in ("identifier", "string_lit")
        ]
        body = next((each for each in node.named_children if each.type == "body"), None)
        attributes, lines = ({}, {}) if body is None else self.attributes(body, 0)
        line = int(node.start_point.row) + 1
        return Block(words[0] if words else "", tuple(words[1:]), attributes, lines, line)

    def attributes(
        self, body: tree_sitter.Node, depth: int
    ) -> tuple[dict[str, JsonValue], dict[str, int]]:
        """Return what a body holds, and the line of each part."""
        found: dict[str, JsonValue] = {}
        lines: dict[str, int] = {}
        for node in body.named_children:
            self._count(node, depth)
            first = node.named_children[0] if node.named_children else None
            if first is None or first.type != "identifier":
                continue
            name = self._text(first)
            lines.setdefault(name, int(node.start_point.row) + 1)
            if node.type == "attribute":
                found[name] = self._value(node.named_children[-1], depth + 1)
            elif node.type == "block":
                self._inner(found, name, node, depth + 1)
        return found, lines

    def _inner(
        self, found: dict[str, JsonValue], name: str, node: tree_sitter.Node, depth: int
    ) -> None:
        """Add a block inside; ``dynamic "x" { content { … } }`` counts as one ``x``."""
        body = next((each for each in node.named_children if each.type == "body"), None)
        value: dict[str, JsonValue] = {} if body is None else self.attributes(body, depth)[0]
        if name == "dynamic":
            label = next((each for each in node.named_children if each.type == "string_lit"), None)
            content = value.get("content")
            name = self._label(label) if label is not None else name
            value = content if isinstance(content, dict) else value
        have = found.get(name)
        if have is None:
            found[name] = value
        elif isinstance(have, list):
            have.append(value)
        else:
            found[name] = [have, value]

    def _count(self, node: tree_sitter.Node, depth: int) -> None:
        self._nodes += 1
        if depth > _DEPTH or self._nodes > _NODES:
            what = (
                f"nested deeper than {_DEPTH} levels"
                if depth > _DEPTH
                else f"more than {_NODES} values"
            )
            raise FormatError(what, place=f"line {node.start_point.row + 1}")

    def _text(self, node: tree_sitter.Node) -> str:
        return self._data[node.start_byte : node.end_byte].decode("utf-8", "replace")

    def _label(self, node: tree_sitter.Node) -> str:
        return self._text(node).strip('"')[:200]

    def _value(self, node: tree_sitter.Node, depth: int) -> JsonValue:
        """Return an expression as a literal, else as ``${text}``."""
        self._count(node, depth)
        while node.type in ("expression", "literal_value", "collection_value", "template_expr"):
            if len(node.named_children) != 1:
                break
            node = node.named_children[0]
            self._count(node, depth)
        text = self._text(node)
        if node.type == "string_lit":
            return _unquoted(text)
        if node.type == "quoted_template":
            return text[1:-1][:_TEXT]
        if node.type == "heredoc_template":
            return text.partition("\n")[2].rpartition("\n")[0][:_TEXT]
        if node.type in ("numeric_lit", "bool_lit", "null_lit"):
            return _constant(text)
        if node.type == "tuple":
            items = [each for each in node.named_children if each.type == "expression"]
            return [self._value(each, depth + 1) for each in items]
        if node.type == "object":
            return self._object(node, depth)
        return f"${{{text[:_TEXT]}}}"

    def _object(self, node: tree_sitter.Node, depth: int) -> dict[str, JsonValue]:
        found: dict[str, JsonValue] = {}
        for element in node.named_children:
            parts = [each for each in element.named_children if each.type == "expression"]
            if element.type == "object_elem" and len(parts) == 2:  # noqa: PLR2004 - key and value
                found[self._label(parts[0])] = self._value(parts[1], depth + 1)
        return found


def _constant(text: str) -> JsonValue:
    words: Mapping[str, JsonValue] = {"true": True, "false": False, "null": None}
    if text in words:
        return words[text]
    return int(text) if _NUMBER.match(text) else text[:100]


def _unquoted(text: str) -> str:
    try:
        return str(json.loads(text))[:_TEXT]
    except ValueError:
        return text.strip('"')[:_TEXT]
