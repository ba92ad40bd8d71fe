"""The texts of JavaScript: short ones with their names, instructions, messages, variables."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from tree_sitter import Node

from keepwall.formats.source.javascript_literals import (
    alternatives,
    core,
    is_filled,
    plain,
    properties,
    property_name,
    string,
)
from keepwall.formats.source.javascript_names import Names
from keepwall.formats.source.javascript_reader import SCHEMAS, Outline, Seen
from keepwall.formats.source.javascript_scope import JavaScriptScope
from keepwall.formats.source.literals import MAXIMUM_TEXT
from keepwall.formats.source.model import Assignment, Offer, Variable
from keepwall.formats.source.words import SHORTEST_TEMPLATE, Words
from keepwall.vocabulary.json_value import JsonValue

_TEXTS = frozenset({"string", "template_string"})
_ENVIRONMENT = re.compile(
    rb"(?:process|import\.meta)\.env(?:\.|\[\s{0,3}[\"'])([A-Za-z_]\w{0,199})"
    rb"|Deno\.env\.get\(\s{0,3}[\"']([A-Za-z_]\w{0,199})"
)
_MAXIMUM_VARIABLES = 2_000
_MAXIMUM_OFFERS = 500
_TOOL_NAME = re.compile(r"[\w./:-]{1,100}\Z")


@dataclass(slots=True)
class TextReader:
    """Collects the texts of one file."""

    outline: Outline
    names: Names
    words: Words = field(default_factory=Words)
    messages: list[Assignment] = field(default_factory=list)
    variables: list[Variable] = field(default_factory=list)
    offers: list[Offer] = field(default_factory=list)
    _answered: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        """Note which case answers for which name."""
        names = (scope.name for scope in self.outline.scopes)
        self._answered = {each.rpartition(".")[2]: each for each in names}

    def given(self, seen: Seen) -> None:
        """Take a value that a name is given, or the texts that it falls back on."""
        data = self.outline.data
        if seen.node.type in _TEXTS:
            self._text(seen.node, seen.target, seen.scope)
            return
        waiting = [(seen.node, 0)]
        while waiting:
            node, depth = waiting.pop()
            node = core(node)
            if node.type in _TEXTS:
                self._text(node, seen.target, seen.scope)
            elif depth < 4:  # noqa: PLR2004 - nobody nests more defaults
                waiting += [(each, depth + 1) for each in alternatives(data, node)]

    def addresses(self, given: Node, scope: JavaScriptScope) -> None:
        """Take the URLs among the arguments of a call, which have no other name."""
        data = self.outline.data
        first = given.named_children[0] if given.named_child_count else None
        if first is None or first.type not in _TEXTS:
            return
        start = first.start_byte
        if data.find(b"://", start, min(first.end_byte, start + 20)) >= 0:
            self._text(first, "", scope)

    def _text(self, node: Node, key: str, scope: JavaScriptScope) -> None:
        line = node.start_point.row + 1
        if is_filled(node):
            value = self.names.value(node, scope)
            filled = value if isinstance(value, str) else string(self.outline.data, node)
            if filled is value or len(filled) >= SHORTEST_TEMPLATE:
                self.words.text(filled, key, line, scope.name)
        else:
            self.words.text(string(self.outline.data, node), key, line, scope.name)

    def described(self, table: Seen) -> None:
        """Take a table with a role (a message) or a schema (a tool that is offered)."""
        node, scope = table.node, table.scope
        data, line = self.outline.data, node.start_point.row + 1
        held = dict(properties(data, node))
        if "role" in held and "content" in held:
            role = self.names.value(held["role"], scope)
            content = core(held["content"])
            if role in ("system", "developer"):
                value = self.names.value(content, scope)
                if not isinstance(value, str):
                    value = string(data, content) if content.type in _TEXTS else ""
                if value:
                    self.messages.append(Assignment(str(role), value[:MAXIMUM_TEXT], line))
        elif "name" in held and "description" in held and not SCHEMAS.isdisjoint(held):
            name = self.names.value(held["name"], scope)
            about = self.names.value(held["description"], scope)
            if (
                isinstance(name, str)
                and _TOOL_NAME.match(name)
                and len(self.offers) < _MAXIMUM_OFFERS
            ):
                text = about if isinstance(about, str) else ""
                self.offers.append(
                    Offer(name, text, line, scope.name, self._answered.get(name, ""))
                )

    def conversation(self, messages: JsonValue, line: int) -> None:
        """Take the instructions of a list such as ``[["system", "…"], …]``."""
        for each in messages if isinstance(messages, list) else ():
            if isinstance(each, list) and len(each) == 2 and each[0] == "system":  # noqa: PLR2004 - role and text
                self.messages.append(Assignment("system", str(each[1] or ""), line))

    def environment(self, root: Node, scope_at: Callable[[int], JavaScriptScope]) -> None:
        """Take the environment variables that the code reads, with what they are given to."""
        data = self.outline.data
        for match in _ENVIRONMENT.finditer(data):
            node = root.descendant_for_byte_range(match.start(), match.start() + 1)
            if node is None or node.type in ("comment", "string_fragment"):
                continue
            name = (match[1] or match[2]).decode("ascii")
            scope = scope_at(match.start()).name
            line = node.start_point.row + 1
            self.variables.append(Variable(name, line, scope, self._receiver(node)))
            if len(self.variables) >= _MAXIMUM_VARIABLES:
                return

    def _receiver(self, node: Node) -> str:
        """Return the name that the expression around `node` is given to."""
        above = node.parent
        for _ in range(6):
            if above is None:
                return ""
            if above.type == "pair":
                key = above.child_by_field_name("key")
                return property_name(self.outline.data, key) if key is not None else ""
            if above.type in ("variable_declarator", "assignment_expression"):
                left = above.child_by_field_name("name") or above.child_by_field_name("left")
                return plain(self.outline.data, left)[:200] if left is not None else ""
            above = above.parent
        return ""
