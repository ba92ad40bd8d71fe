"""The texts of a module: short ones with the name that they are given to, and long instructions."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass, field

from keepwall.formats.source.literals import MAXIMUM_TEXT
from keepwall.formats.source.model import Template, Text

_LONGEST = 200
SHORTEST_TEMPLATE = 80
_MAXIMUM_TEXTS = 20_000
_MAXIMUM_TEMPLATES = 500
_SPACE = re.compile(r"\s")
_INSTRUCTS = re.compile(
    r"(?i)prompt|instruct|system|template|persona|backstory|goal|message|content|description"
)


@dataclass(slots=True)
class Words:
    """Collects texts; a hostile module does not make more of them than there is room for."""

    texts: list[Text] = field(default_factory=list)
    templates: list[Template] = field(default_factory=list)

    def constant(self, node: ast.Constant, key: str, scope: str, offset: int) -> None:
        """Take a literal that is given to `key`."""
        if type(node.value) is str:
            self.text(node.value, key, node.lineno + offset, scope)

    def text(self, value: str, key: str, line: int, scope: str) -> None:
        """Take a text on `line` that is given to `key`."""
        size = len(value)
        named = key or "://" in value
        if 1 < size <= _LONGEST and named and _SPACE.search(value) is None:
            if len(self.texts) < _MAXIMUM_TEXTS:
                self.texts.append(Text(value, key, line, scope))
        elif size >= SHORTEST_TEMPLATE and key:
            self._template(value, key, line, scope)

    def filled(self, node: ast.JoinedStr, key: str, scope: str, offset: int) -> None:
        """Take an f-string that is given to `key`."""
        if key and len(node.values) > 1:
            text = filled_text(node)
            if len(text) >= SHORTEST_TEMPLATE:
                self._template(text, key, node.lineno + offset, scope)

    def _template(self, text: str, key: str, line: int, scope: str) -> None:
        if len(self.templates) < _MAXIMUM_TEMPLATES and _INSTRUCTS.search(key):
            self.templates.append(Template(text[:MAXIMUM_TEXT], key, line, scope, len(text)))


def filled_text(node: ast.expr | None) -> str:
    """Return the text of a literal or f-string, ``{}`` for what is filled in; else empty."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = (
        str(each.value) if isinstance(each, ast.Constant) else "{}" for each in node.values[:500]
    )
    return "".join(parts)


def dict_value(node: ast.Dict, name: str) -> ast.expr | None:
    """Return the value that a table literal holds below `name`."""
    pairs = zip(node.keys, node.values, strict=False)
    return next((v for k, v in pairs if isinstance(k, ast.Constant) and k.value == name), None)
