"""JavaScript and TypeScript syntax: one bounded parse, and the nodes that say something.

The grammars are those of tree-sitter (https://tree-sitter.github.io), which recover from broken
syntax. The tree is walked here and not by its queries: those take quadratic time over deep or wide
trees, and cannot be stopped.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import tree_sitter_javascript
import tree_sitter_typescript
from tree_sitter import Language, Node, Parser

from keepwall.vocabulary.errors import FormatError

_MAXIMUM_BLOCKS = 30_000
"""Deeper nesting than this can exhaust the parser's stack: in labels, at three times as much."""
_MAXIMUM_BRACKETS = 150_000
_MAXIMUM_TYPES = 3_000
"""Where more ``a<b`` stay open, the parser's memory grows with their square."""
_MAXIMUM_NODES = 1_000_000
_MAXIMUM_PICKED = 60_000
_SECONDS = 3.0
"""CPU time for one file."""
_TYPE_ARGUMENTS = re.compile(rb"[\w$)\]](?:\s++|/\*[^*]*+\*++/)*+<(?:\s++|/\*[^*]*+\*++/)*+[\w$]")
_CHUNK = 1 << 15
_CHECKED = 2_000

_PICKED = [
    "import_statement",
    "export_statement",
    "variable_declarator",
    "assignment_expression",
    "function_declaration",
    "generator_function_declaration",
    "function_expression",
    "generator_function",
    "arrow_function",
    "method_definition",
    "class_declaration",
    "class",
    "call_expression",
    "new_expression",
    "catch_clause",
    "for_in_statement",
    "switch_case",
    "object",
    "pair",
    "while_statement",
    "for_statement",
    "field_definition",
    "public_field_definition",
    "abstract_class_declaration",
]
_SKIPPED = [
    "comment",
    "string",
    "template_type",
    "type_annotation",
    "interface_declaration",
    "type_alias_declaration",
    "type_arguments",
    "type_parameters",
    "ambient_declaration",
    "regex",
    "import_clause",
    "named_imports",
]
"""What holds nothing of the above, or only types."""


class Dialect(StrEnum):
    """Which grammar reads a file."""

    JAVASCRIPT = "javascript"
    TYPESCRIPT = "typescript"
    TSX = "tsx"


@dataclass(frozen=True, slots=True)
class Syntax:
    """What was picked from a tree, in the order of the source, outer nodes first."""

    root: Node
    nodes: Sequence[Node]


@dataclass(frozen=True, slots=True)
class _Grammar:
    parser: Parser
    picked: frozenset[int]
    skipped: frozenset[int]


@cache
def _grammar(dialect: Dialect) -> _Grammar:
    """Return the parser of a dialect; grammars are immutable, so they are loaded once."""
    loaders: dict[Dialect, Callable[[], object]] = {
        Dialect.JAVASCRIPT: tree_sitter_javascript.language,
        Dialect.TYPESCRIPT: tree_sitter_typescript.language_typescript,
        Dialect.TSX: tree_sitter_typescript.language_tsx,
    }
    language = Language(loaders[dialect]())
    return _Grammar(
        Parser(language),
        frozenset(filter(None, (language.id_for_node_kind(each, True) for each in _PICKED))),  # noqa: FBT003 - of tree-sitter
        frozenset(filter(None, (language.id_for_node_kind(each, True) for each in _SKIPPED))),  # noqa: FBT003 - same
    )


def parse(data: bytes, dialect: Dialect) -> Syntax:
    """Return what matters in the syntax tree of `data`; broken parts are left out.

    Raises:
        FormatError: it nests or branches too much, or takes too long to parse.
    """
    blocks = data.count(b"{")
    if blocks > _MAXIMUM_BLOCKS:
        raise FormatError(f"{blocks} blocks, more than {_MAXIMUM_BLOCKS}")
    if blocks + data.count(b"(") + data.count(b"[") > _MAXIMUM_BRACKETS:
        raise FormatError(f"more than {_MAXIMUM_BRACKETS} brackets")
    if dialect is not Dialect.JAVASCRIPT and data.count(b"<") > _MAXIMUM_TYPES:
        types = sum(1 for _ in _TYPE_ARGUMENTS.finditer(data))
        if types > _MAXIMUM_TYPES:
            raise FormatError(f"{types} type arguments, more than {_MAXIMUM_TYPES}")
    grammar = _grammar(dialect)
    deadline = time.thread_time() + _SECONDS
    try:
        tree = grammar.parser.parse(
            lambda offset, _point: data[offset : offset + _CHUNK],
            progress_callback=lambda _offset, _error: time.thread_time() > deadline,
        )
    except ValueError as error:
        grammar.parser.reset()  # else the next file would go on with this one
        raise FormatError(f"not parsed within {_SECONDS:g} s") from error
    return Syntax(tree.root_node, _picked(tree.root_node, grammar, deadline))


def _picked(root: Node, grammar: _Grammar, deadline: float) -> list[Node]:
    """Return the nodes below `root` that say something."""
    found: list[Node] = []
    waiting = [root]
    picked, skipped = grammar.picked, grammar.skipped
    for count in range(_MAXIMUM_NODES):
        if not waiting:
            return found
        node = waiting.pop()
        kind = node.kind_id
        if kind in skipped:
            continue
        if kind in picked:
            found.append(node)
        if node.named_child_count:
            waiting += node.named_children[::-1]
        if count % _CHECKED == 0 and (
            time.thread_time() > deadline or len(found) > _MAXIMUM_PICKED
        ):
            break
    raise FormatError("too many or too deep statements")
