"""What the calls of JavaScript say, once every name of the file is bound."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tree_sitter import Node

from keepwall.formats.source.javascript_literals import core, plain, properties
from keepwall.formats.source.javascript_modules import keyword
from keepwall.formats.source.javascript_names import Names
from keepwall.formats.source.javascript_reader import Outline, Seen
from keepwall.formats.source.javascript_scope import JavaScriptScope
from keepwall.formats.source.javascript_syntax import Syntax
from keepwall.formats.source.javascript_texts import TextReader
from keepwall.formats.source.literals import NOT_LITERAL
from keepwall.formats.source.model import Call, ClassDefinition, Module
from keepwall.vocabulary.json_value import JsonValue

_MAXIMUM_ARGUMENTS = 20
_MAXIMUM_REFERENCES = 50
_REFERENCE_DEPTH = 3
_LEAVES = frozenset({"break_statement", "return_statement", "throw_statement", "yield_expression"})
_OPAQUE = frozenset(
    {"function_declaration", "function_expression", "arrow_function", "method_definition", "class"}
    | {"generator_function", "generator_function_declaration", "class_declaration"}
)
_TELLING = (".registerTool", ".tool", ".addTool")
_NO_VALUE = frozenset({"comment", "spread_element"})


@dataclass(slots=True)
class CallReader:
    """Turns the outline of a file into a `Module`."""

    outline: Outline
    names: Names
    references_left: int = field(default=20_000)

    def module(self, syntax: Syntax) -> Module:
        """Return what the file says."""
        outline, texts = self.outline, TextReader(self.outline, self.names)
        calls = [found for each in outline.calls if (found := self._call(each, texts))]
        for each in outline.given:
            texts.given(each)
        for table in outline.tables:
            texts.described(table)
        texts.environment(syntax.root, outline.scope_at)
        endless = {each.scope.name for each in outline.loops if _endless(each.node, outline.data)}
        return Module(
            tuple(outline.imports),
            tuple(sorted(calls, key=lambda call: call.line)),
            tuple(
                replace(each, endless=True) if each.name in endless else each
                for each in outline.functions
            ),
            tuple(self._class(each) for each in outline.classes),
            (),
            tuple(texts.messages),
            tuple(texts.words.texts),
            tuple(texts.words.templates),
            tuple(texts.variables),
            tuple(texts.offers),
        )

    # -- calls -----------------------------------------------------------------------------

    def _call(self, seen: Seen, texts: TextReader) -> Call | None:
        node, scope = seen.node, seen.scope
        called = node.child_by_field_name("function") or node.child_by_field_name("constructor")
        if called is None:
            return None
        function = self._function(node, called, scope)
        given = node.child_by_field_name("arguments")
        # Of the functions of this file nobody asks for arguments, but for those that make tools.
        told = function and (function[0] not in ":." or function.endswith(_TELLING))
        arguments: dict[str, JsonValue] = {}
        references: dict[str, tuple[str, ...]] = {}
        defaults: dict[str, str] = {}
        line = node.start_point.row + 1
        if given is not None:
            texts.addresses(given, scope)
        for name, value in self._arguments(given) if told else ():
            literal = self.names.value(value, scope)
            arguments[name] = None if literal is NOT_LITERAL else literal  # type: ignore[assignment]  # built of JSON values
            if arguments[name] is None and (likely := self.names.fallback(value, scope)):
                defaults[name] = likely
            if found := tuple(dict.fromkeys(self._references(value, scope))):
                references[name] = found
        if not function:
            return None
        if function.endswith(".fromMessages"):
            texts.conversation(arguments.get("0"), line)
        end = node.end_point.row + 1
        return Call(function, arguments, line, end, scope.name, seen.target, references, defaults)

    def _function(self, node: Node, called: Node, scope: JavaScriptScope) -> str:
        """Return what is called, dotted; ``.__call__`` follows where a result is called."""
        if called.type in ("import", "identifier") and plain(self.outline.data, called) in (
            "import",
            "require",
        ):
            self._loaded(node, scope)
            return ""
        function, result = self.names.resolve(called, scope)
        if function in self.names.modules.known and not result:
            function = self.names.modules.default(function)
        return (
            f"{function}.__call__" if function and result else function or self.names.local(called)
        )

    def _loaded(self, node: Node, scope: JavaScriptScope) -> None:
        """Record ``require("x")`` and ``import("x")`` among the imports."""
        module, _ = self.names.resolve(node, scope)
        if module:
            self.outline.note_import(module, node.start_point.row + 1)

    def _arguments(self, given: Node | None) -> Iterator[tuple[str, Node]]:
        """Yield arguments: positional ones by number, the properties of objects by their names."""
        if given is None:
            return
        if given.type != "arguments":  # a tagged template
            yield "0", given
            return
        seen: set[str] = set()
        values = (each for each in given.named_children if each.type != "comment")
        for index, value in zip(range(_MAXIMUM_ARGUMENTS), values, strict=False):
            inner = core(value)
            if inner.type != "object":
                if inner.type not in _NO_VALUE:
                    yield str(index), inner
                continue
            for key, each in properties(self.outline.data, inner):
                if (name := keyword(key)) not in seen:
                    seen.add(name)
                    yield name, each

    def _references(self, value: Node, scope: JavaScriptScope) -> Iterator[str]:
        """Yield the names of functions and variables in `value`, also within lists and tables."""
        waiting = [(value, 0)]
        count = 0
        while waiting and count < _MAXIMUM_REFERENCES and self.references_left > 0:
            node, depth = waiting.pop()
            node = core(node)
            count += 1
            self.references_left -= 1
            if node.id in self.outline.function_names:
                yield f":{self.outline.function_names[node.id]}"
            elif node.type in ("array", "spread_element") and depth < _REFERENCE_DEPTH:
                inside = node.named_children[:_MAXIMUM_REFERENCES]
                waiting += [(each, depth + 1) for each in reversed(inside)]
            elif node.type == "object" and depth < _REFERENCE_DEPTH:
                held = [(each, depth + 1) for _, each in properties(self.outline.data, node)]
                waiting += reversed(held)
            elif node.type in ("call_expression", "new_expression"):
                yield from self._named(node, scope)
                if depth and (target := self.outline.targets.get(node.id)):
                    yield f":{target}"
                given = node.child_by_field_name("arguments")
                if depth < _REFERENCE_DEPTH and given is not None:
                    within = [each for _, each in self._arguments(given)]
                    waiting += [
                        (each, _REFERENCE_DEPTH)
                        for each in reversed(within)
                        if each.id in self.outline.function_names or each.type == "identifier"
                    ]
            else:
                yield from self._named(node, scope)

    def _named(self, node: Node, scope: JavaScriptScope) -> Iterator[str]:
        name, _ = self.names.resolve(node, scope)
        if name:
            yield name
        if local := self.names.local(node):
            yield local

    # -- classes and loops -----------------------------------------------------------------

    def _class(self, seen: Seen) -> ClassDefinition:
        node = seen.node
        bases: list[str] = []
        outside = seen.scope.parent or self.outline.module
        heritage = next(
            (each for each in node.named_children if each.type == "class_heritage"), None
        )
        for clause in heritage.named_children[:4] if heritage is not None else ():
            value = (
                clause.child_by_field_name("value") if clause.type == "extends_clause" else clause
            )
            if value is not None and value.type != "implements_clause":
                bases.append(self.names.resolve(value, outside)[0])
        attributes: dict[str, JsonValue] = {}
        for name, bound in list(seen.scope.bindings.items())[:100]:
            if name.startswith("this.") and bound.node is not None and bound.scope is seen.scope:
                literal = self.names.value(bound.node, bound.scope)
                attributes[name[5:]] = None if literal is NOT_LITERAL else literal  # type: ignore[assignment]  # built of JSON values
        line = node.start_point.row + 1
        return ClassDefinition(
            seen.scope.name,
            line,
            tuple(filter(None, bases)),
            "",
            attributes,
        )


def _endless(loop: Node, data: bytes) -> bool:
    """Return whether a loop has no condition and holds nothing that leaves it."""
    condition, body = loop.child_by_field_name("condition"), loop.child_by_field_name("body")
    asked = plain(data, condition) if condition is not None else ""
    if body is None or asked not in ("(true)", "(1)", ";"):
        return False
    waiting = [body]
    for _ in range(5_000):
        if not waiting:
            return True
        node = waiting.pop()
        if node.type in _LEAVES:
            return False
        if node.type not in _OPAQUE:
            waiting += node.named_children
    return False
