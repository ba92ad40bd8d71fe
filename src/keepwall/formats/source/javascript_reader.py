"""One pass over the nodes of a JavaScript file: its scopes, names, functions and calls."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field

from tree_sitter import Node

from keepwall.formats.source.javascript_literals import (
    core,
    plain,
    property_name,
    string,
)
from keepwall.formats.source.javascript_modules import Modules
from keepwall.formats.source.javascript_patterns import Bound, bound_names, parameters
from keepwall.formats.source.javascript_scope import Binding, JavaScriptScope
from keepwall.formats.source.javascript_syntax import Syntax
from keepwall.formats.source.model import Function, Import

_FUNCTIONS = frozenset(
    {"function_declaration", "generator_function_declaration", "function_expression"}
    | {"generator_function", "arrow_function", "method_definition"}
)
_CLASSES = frozenset({"class_declaration", "abstract_class_declaration", "class"})
_FIELDS = frozenset({"field_definition", "public_field_definition"})
_DECLARED = frozenset({"function_declaration", "generator_function_declaration"}) | _CLASSES
_WITH_TEXT = frozenset({"string", "template_string", "binary_expression", "ternary_expression"})
SCHEMAS = frozenset({"inputSchema", "input_schema", "parameters"})
"""Keys of the tables that describe tools."""
_TELLING = SCHEMAS | {"role"}
_MAXIMUM_KEY = 120
_MAXIMUM_TABLES = 2_000
_MAXIMUM_IMPORTS = 2_000


@dataclass(frozen=True, slots=True)
class Seen:
    """A node with the scope that it stands in, and the name that it is given to."""

    node: Node
    scope: JavaScriptScope
    target: str = ""


@dataclass(slots=True)
class Outline:
    """What one pass gathers; names are not resolved yet, for they may be bound further down."""

    data: bytes
    modules: Modules
    module: JavaScriptScope = field(default_factory=JavaScriptScope)
    imports: list[Import] = field(default_factory=list)
    calls: list[Seen] = field(default_factory=list)
    given: list[Seen] = field(default_factory=list)
    """Values with the dotted name that they are given to."""
    tables: list[Seen] = field(default_factory=list)
    """Objects that describe a tool or are a message."""
    loops: list[Seen] = field(default_factory=list)
    classes: list[Seen] = field(default_factory=list)
    functions: list[Function] = field(default_factory=list)
    function_names: dict[int, str] = field(default_factory=dict)
    """The qualified names of functions, by the id of their node."""
    starts: list[int] = field(default_factory=list)
    scopes: list[JavaScriptScope] = field(default_factory=list)
    targets: dict[int, str] = field(default_factory=dict)
    """The names that values are given to, by the id of their node."""
    _callees: list[tuple[int, Node]] = field(default_factory=list)
    _objects: list[tuple[int, Seen]] = field(default_factory=list)
    _keys: list[tuple[int, str]] = field(default_factory=list)

    def read(self, syntax: Syntax) -> None:
        """Read the nodes of a file, which come in its order, outer ones first."""
        around: list[tuple[int, JavaScriptScope]] = [(len(self.data) + 1, self.module)]
        for node in syntax.nodes:
            start = node.start_byte
            while start >= around[-1][0]:
                around.pop()
            while self._keys and start >= self._keys[-1][0]:
                self._keys.pop()
            while self._callees and start >= self._callees[-1][0]:
                self._callees.pop()
            while self._objects and start >= self._objects[-1][0]:
                self._objects.pop()
            inner = self._visit(node, around[-1][1])
            if inner is not None:
                around.append((node.end_byte, inner))
                inner.end = node.end_byte
                self.starts.append(start)
                self.scopes.append(inner)

    def scope_at(self, place: int) -> JavaScriptScope:
        """Return the innermost scope around a byte of the file."""
        index = bisect_right(self.starts, place) - 1
        scope = self.scopes[index] if index >= 0 else self.module
        while scope.parent is not None and place >= scope.end:
            scope = scope.parent
        return scope

    def _visit(self, node: Node, scope: JavaScriptScope) -> JavaScriptScope | None:
        """Record what a node says; returns the scope that it opens."""
        kind = node.type
        if kind in ("call_expression", "new_expression"):
            self._call(node, scope)
        elif kind == "pair":
            self._pair(node, scope)
        elif kind == "object":
            self._objects.append((node.end_byte, Seen(node, scope)))
        elif kind == "variable_declarator":
            self._declared(node, scope)
        elif kind in _FUNCTIONS:
            return self._function(node, scope)
        elif kind in _CLASSES:
            return self._class(node, scope)
        elif kind == "switch_case":
            return self._case(node, scope)
        else:
            self._other(node, scope)
        return None

    def _other(self, node: Node, scope: JavaScriptScope) -> None:
        """Record what a rarer statement binds."""
        kind = node.type
        if kind == "assignment_expression":
            self._assigned(node, scope)
        elif kind in _FIELDS:
            self._field(node, scope)
        elif kind in ("import_statement", "export_statement"):
            self._import(node, scope)
        elif kind in ("while_statement", "for_statement"):
            self.loops.append(Seen(node, scope))
        elif kind == "catch_clause":
            self._hide(node.child_by_field_name("parameter"), scope)
        elif node.child_by_field_name("kind") is not None:  # for (const x of y)
            self._hide(node.child_by_field_name("left"), scope)

    def _hide(self, pattern: Node | None, scope: JavaScriptScope) -> None:
        if pattern is not None:
            self._bind(bound_names(self.data, pattern), scope)

    # -- what binds ------------------------------------------------------------------------

    def _bind(
        self, names: Iterator[Bound], scope: JavaScriptScope, value: Node | None = None
    ) -> None:
        for each in names:
            node = value if each.known else None
            scope.bind(
                each.name,
                Binding(
                    scope, "", node, each.path, annotation=each.annotation, fallback=each.fallback
                ),
            )

    def _declared(self, node: Node, scope: JavaScriptScope) -> None:
        name, value = node.child_by_field_name("name"), node.child_by_field_name("value")
        if name is None:
            return
        annotation = node.child_by_field_name("type")
        if name.type == "identifier":
            text = plain(self.data, name)
            scope.bind(text, Binding(scope, node=value, annotation=annotation))
            self._give(text, value, scope)
        else:
            self._bind(bound_names(self.data, name), scope, value)

    def _assigned(self, node: Node, scope: JavaScriptScope) -> None:
        left, right = node.child_by_field_name("left"), node.child_by_field_name("right")
        if left is None or right is None:
            return
        if left.type == "identifier":
            name = plain(self.data, left)
            home = scope.find(name)
            (home.scope if home else self.module).bind(name, Binding(scope, node=right))
            self._give(name, right, scope)
        elif left.type == "member_expression":
            held, member = left.child_by_field_name("object"), left.child_by_field_name("property")
            name = plain(self.data, member) if member is not None else ""
            if held is not None and held.type == "this":
                scope.owner().bind(f"this.{name}", Binding(scope, node=right))
            self._give(name, right, scope)

    def _field(self, node: Node, scope: JavaScriptScope) -> None:
        name = node.child_by_field_name("name") or node.child_by_field_name("property")
        if name is None:
            return
        value, text = node.child_by_field_name("value"), property_name(self.data, name)
        annotation = node.child_by_field_name("type")
        bound = Binding(scope, node=value, annotation=annotation)
        scope.owner().bind(f"this.{text}", bound)
        self._give(text, value, scope)

    def _pair(self, node: Node, scope: JavaScriptScope) -> None:
        key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
        if key is None or value is None or key.type == "computed_property_name":
            return
        name = property_name(self.data, key)
        if name in _TELLING and self._objects:
            table = self._objects[-1][1]
            if len(self.tables) < _MAXIMUM_TABLES and table not in self.tables[-1:]:
                self.tables.append(table)
        self._give(name, value, scope, below=True)

    def _give(
        self, name: str, value: Node | None, scope: JavaScriptScope, *, below: bool = False
    ) -> None:
        """Record that a value is given to `name`, in a table below the name of the table."""
        if value is None:
            return
        value = core(value)
        self.targets[value.id] = name
        table = self._keys[-1][1] if below and self._keys else ""
        key = f"{table}.{name}"[-_MAXIMUM_KEY:] if table else name
        if value.type == "object":
            self._keys.append((value.end_byte, key))
        elif value.type in _WITH_TEXT:
            self.given.append(Seen(value, scope, key))

    # -- what opens a scope ----------------------------------------------------------------

    def _function(self, node: Node, scope: JavaScriptScope) -> JavaScriptScope:
        name = node.child_by_field_name("name")
        text = property_name(self.data, name) if name is not None else ""
        if node.type in _DECLARED and text:
            scope.bind(text, Binding(scope))
        text = text or self.targets.get(node.id) or self._callee() or "function"
        qualified = scope.within(text[:100])
        inner = JavaScriptScope(qualified, scope)
        for each in parameters(self.data, node):
            bound = Binding(inner, annotation=each.annotation, fallback=each.fallback)
            inner.bind(each.name, bound)
            if each.is_field:
                scope.owner().bind(f"this.{each.name}", bound)
        end = node.end_point.row + 1
        self.functions.append(Function(qualified, node.start_point.row + 1, end))
        self.function_names[node.id] = qualified
        self._keys.append((node.end_byte, ""))
        return inner

    def _class(self, node: Node, scope: JavaScriptScope) -> JavaScriptScope:
        name = node.child_by_field_name("name")
        text = plain(self.data, name) if name is not None else self.targets.get(node.id, "class")
        scope.bind(text, Binding(scope))
        inner = JavaScriptScope(scope.within(text[:100]), scope, is_class=True)
        self.classes.append(Seen(node, inner, text))
        return inner

    def _case(self, node: Node, scope: JavaScriptScope) -> JavaScriptScope:
        """Return the scope of a case, which is how one handler answers for several tools."""
        value = node.child_by_field_name("value")
        text = string(self.data, value)[:100] if value is not None else ""
        return JavaScriptScope(scope.within(text), scope)

    # -- what is told ----------------------------------------------------------------------

    def _call(self, node: Node, scope: JavaScriptScope) -> None:
        if self._keys:  # what is given to a function belongs to no table around it
            self._keys.append((node.end_byte, ""))
        self.calls.append(Seen(node, scope, self.targets.get(node.id, "")))
        self._callees.append((node.end_byte, node))

    def _callee(self) -> str:
        """Return what a function is called that is only an argument: ``map()``."""
        called = self._callees[-1][1].child_by_field_name("function") if self._callees else None
        if called is None or called.type not in ("identifier", "member_expression"):
            return ""
        return f"{plain(self.data, called.child_by_field_name('property') or called)}()"

    def _import(self, node: Node, scope: JavaScriptScope) -> None:
        source = node.child_by_field_name("source")
        line = node.start_point.row + 1
        if source is None:
            self._required(node, scope, line)
            return
        module = self.modules.add(string(self.data, source))
        names: list[str] = []
        for local, exported in _imported(self.data, node):
            dotted = module if exported == "*" else self.modules.member(module, exported)
            names.append(dotted)
            if local and node.type == "import_statement":
                scope.bind(local, Binding(scope, dotted))
        for each in names or [module]:
            self.note_import(each, line)

    def note_import(self, name: str, line: int) -> None:
        """Record that a module or name is imported."""
        if len(self.imports) < _MAXIMUM_IMPORTS:
            self.imports.append(Import(name, line))

    def _required(self, node: Node, scope: JavaScriptScope, line: int) -> None:
        """Record ``import x = require("y")`` of TypeScript."""
        clause = next((each for each in node.named_children if each.type.endswith("clause")), None)
        if clause is None or clause.type != "import_require_clause":
            return
        source = clause.child_by_field_name("source")
        if source is not None and clause.named_children:
            module = self.modules.add(string(self.data, source))
            local = plain(self.data, clause.named_children[0])
            scope.bind(local, Binding(scope, module))
            self.note_import(module, line)


def _imported(data: bytes, node: Node) -> Iterator[tuple[str, str]]:
    """Yield local and exported names of an import or re-export; ``*`` is all of the module."""
    waiting = list(node.named_children)[::-1]
    while waiting:
        each = waiting.pop()
        if each.type in ("import_clause", "named_imports", "export_clause"):
            waiting += each.named_children[::-1]
        elif each.type == "identifier":
            yield plain(data, each), "default"
        elif each.type == "namespace_import" and each.named_children:
            yield plain(data, each.named_children[0]), "*"
        elif each.type in ("import_specifier", "export_specifier"):
            name = each.child_by_field_name("name")
            alias = each.child_by_field_name("alias")
            if name is not None:
                exported = property_name(data, name)
                yield (plain(data, alias) if alias is not None else exported), exported
