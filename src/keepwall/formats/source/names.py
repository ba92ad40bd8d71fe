"""Follow names through a module: one pass over its scopes, without recursion."""

from __future__ import annotations

import ast
import builtins
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from keepwall.formats.source.fallbacks import fallback, parameter_defaults
from keepwall.formats.source.literals import MAXIMUM_TEXT, NOT_LITERAL, literal, literal_or_null
from keepwall.formats.source.model import (
    Assignment,
    Call,
    ClassDefinition,
    Decorator,
    Function,
    Import,
    Module,
    Variable,
)
from keepwall.formats.source.scope import LOCAL, Scope
from keepwall.formats.source.shapes import (
    absolute_name,
    endless,
    given_arguments,
    local_name,
    plain_name,
)
from keepwall.formats.source.visiting import (
    FUNCTIONS,
    KEEPS_KEY,
    LEAVES,
    VISITED,
    Visit,
    argument_keys,
    children,
    dict_keys,
    outside,
    subscript_key,
)
from keepwall.formats.source.words import Words, dict_value, filled_text
from keepwall.vocabulary.json_value import JsonValue

_MAXIMUM_DOTTED = 200
_MAXIMUM_STEPS = 60
_BUILTINS = frozenset(dir(builtins))
_LONGEST = 200
_FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef


class ModuleReader:
    """Reads syntax trees into a `Module`; several trees (cells) share one module scope."""

    def __init__(self, *, package: str = "") -> None:
        self._package = package
        self._module = Scope()
        self._waiting: deque[tuple[list[ast.stmt], Scope, int]] = deque()
        self._imports: list[Import] = []
        self._calls: list[Call] = []
        self._functions: list[Function] = []
        self._classes: list[ClassDefinition] = []
        self._assignments: list[Assignment] = []
        self._messages: list[Assignment] = []
        self._endless: set[str] = set()
        self._words = Words()
        self._variables: list[Variable] = []

    def read(self, tree: ast.Module, offset: int = 0) -> None:
        """Read the module level of `tree` now; the bodies of functions wait for `finish`."""
        self._block(tree.body, self._module, offset)

    def finish(self) -> Module:
        """Read what waits, and return everything in the order of the lines."""
        while self._waiting:
            self._block(*self._waiting.popleft())
        return Module(
            tuple(self._imports),
            tuple(sorted(self._calls, key=lambda call: call.line)),
            tuple(
                replace(each, endless=True) if each.name in self._endless else each
                for each in self._functions
            ),
            tuple(self._classes),
            tuple(self._assignments),
            tuple(self._messages),
            tuple(self._words.texts),
            tuple(self._words.templates),
            tuple(self._variables),
        )

    def _block(self, body: list[ast.stmt], scope: Scope, offset: int) -> None:
        """Visit `body` in the order of its lines; each node comes with what it is given to."""
        stack: list[Visit] = [(node, "", "") for node in reversed(body)]
        while stack:
            node, target, key = stack.pop()
            kind = type(node)
            if kind is ast.Constant:
                self._words.constant(node, key, scope.name, offset)  # type: ignore[arg-type]  # a Constant
                continue
            if kind not in VISITED:
                inner = key if kind in KEEPS_KEY else ""
                stack += [(each, "", inner) for each in reversed(children(node))]
            elif kind in FUNCTIONS:
                self._function(node, scope, offset)  # type: ignore[arg-type]  # a function
                stack += outside(node)  # type: ignore[arg-type]  # a function
            elif kind is ast.ClassDef:
                self._class(node, scope, offset)  # type: ignore[arg-type]  # a class
            elif kind is ast.Call:
                found = self._call(node, scope, offset, target)  # type: ignore[arg-type]  # a call
                stack += argument_keys(node, found, key)  # type: ignore[arg-type]  # a call
            else:
                stack += self._statement(node, scope, offset, target, key)

    def _statement(
        self, node: ast.AST, scope: Scope, offset: int, target: str, key: str
    ) -> list[Visit]:
        """Record what a node other than a call or definition says; returns its children."""
        if isinstance(node, ast.Assign | ast.AnnAssign):
            return self._assignment(node, scope, offset)
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            return []  # documentation
        if isinstance(node, ast.Dict):
            self._message(node, scope, offset)
            return dict_keys(node, key)
        if isinstance(node, ast.JoinedStr):
            self._words.filled(node, key, scope.name, offset)
        elif isinstance(node, ast.Subscript):
            self._environ(node, scope, offset, target or key)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node, scope, offset)
            return []
        elif isinstance(node, ast.NamedExpr):
            self._assign(node.target, node.value, scope, node.lineno + offset)
            key = node.target.id
        elif isinstance(node, ast.While) and endless(node):
            self._endless.add(scope.name)
        else:
            self._shadow(node, scope)
        held = target if isinstance(node, ast.Await) else ""
        key = key if isinstance(node, ast.NamedExpr | ast.Await) else ""
        return [(each, held, key) for each in reversed(children(node))]

    # -- binding ---------------------------------------------------------------------------

    def _assignment(
        self, node: ast.Assign | ast.AnnAssign, scope: Scope, offset: int
    ) -> list[Visit]:
        """Record what an assignment binds; its value is given to the first target."""
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if node.value is not None:
            for each in targets:
                self._assign(each, node.value, scope, node.lineno + offset)
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            scope.names[node.target.id] = self._resolve(node.annotation, scope) or LOCAL
        name = plain_name(targets[0]) or subscript_key(targets[0])
        found: list[Visit] = [(each, "", "") for each in targets if type(each) not in LEAVES]
        if isinstance(node, ast.AnnAssign):
            found.append((node.annotation, "", ""))
        if node.value is not None and type(node.value) not in LEAVES:
            found.append((node.value, name, name))
        return found[::-1]

    def _shadow(self, node: ast.AST, scope: Scope) -> None:
        """Record what ``with``, ``for`` and ``+=`` do to names."""
        if isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            held = self._resolve(node.context_expr, scope)
            scope.names[node.optional_vars.id] = held or LOCAL
            scope.results.add(node.optional_vars.id)
        elif isinstance(node, ast.AugAssign) and (added := plain_name(node.target)):
            home = (scope.owner() or scope) if added.startswith("self.") else scope
            home.literals[added] = NOT_LITERAL  # what it names stays, what it holds is not known
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            for name in ast.walk(node.target):
                if isinstance(name, ast.Name):
                    scope.names[name.id] = LOCAL
                    scope.literals.pop(name.id, None)

    def _environ(self, node: ast.Subscript, scope: Scope, offset: int, target: str) -> None:
        """Record ``os.environ["NAME"]``."""
        index = node.slice
        if (
            isinstance(index, ast.Constant)
            and isinstance(index.value, str)
            and index.value.isupper()
            and isinstance(node.value, ast.Attribute | ast.Name)
            and self._resolve(node.value, scope).endswith("environ")
        ):
            self._variables.append(
                Variable(index.value[:200], node.lineno + offset, scope.name, target)
            )

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope, offset: int) -> None:
        base = ""
        if isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            base += "" if base.endswith(".") else "."
        for alias in node.names:
            dotted = base + alias.name
            self._imports.append(Import(dotted, node.lineno + offset))
            if base or alias.asname:
                name = alias.asname or alias.name
                scope.names[name] = dotted
            else:
                name = alias.name.split(".")[0]
                scope.names[name] = name
            scope.results.discard(name)

    def _assign(self, target: ast.expr, value: ast.expr, scope: Scope, line: int) -> None:
        name = plain_name(target)
        if not name:
            return
        home = scope
        if name.startswith("self."):
            home = scope.owner() or scope
        found = literal(value, scope.value)
        if found is not NOT_LITERAL:
            self._assignments.append(Assignment(name, found, line))  # type: ignore[arg-type]  # a JSON value
        # A fallback (``except ImportError: torch = None``) does not undo an import.
        if found is None and home.names.get(name):
            return
        result = self._is_result(value, scope)
        home.names[name] = self._resolve(value, scope) or LOCAL
        home.literals[name] = found
        if found is NOT_LITERAL and (likely := fallback(value, scope)):
            home.fallbacks[name] = likely
        else:
            home.fallbacks.pop(name, None)
        if result:
            home.results.add(name)
        else:
            home.results.discard(name)

    # -- resolving -------------------------------------------------------------------------

    def _resolve(self, node: ast.expr, scope: Scope) -> str:
        """Return the dotted name of `node`; a call counts as what it returns. Empty if unknown."""
        parts: list[str] = []
        steps = 0
        while not isinstance(node, ast.Name):
            steps += 1
            if isinstance(node, ast.Attribute):
                held = f"self.{node.attr}"
                if isinstance(node.value, ast.Name) and node.value.id == "self":
                    bound = scope.binding(held)
                    return self._dotted(bound, parts) if bound else ""
                parts.append(node.attr)
                node = node.value
            elif isinstance(node, ast.Call):
                node = node.func
            elif isinstance(node, ast.Await | ast.Subscript):
                node = node.value
            elif isinstance(node, ast.BoolOp):
                node = node.values[-1]
            else:
                return ""
            if steps > _MAXIMUM_STEPS:
                return ""
        bound = scope.binding(node.id)
        if bound is None and node.id in _BUILTINS:
            bound = node.id
        return self._dotted(bound, parts) if bound else ""

    def _absolute(self, node: ast.expr, scope: Scope) -> str:
        return absolute_name(self._resolve(node, scope), self._package)

    def _is_result(self, node: ast.expr, scope: Scope) -> bool:
        """Return whether `node` is what a call returned, and so no name of a function itself."""
        while isinstance(node, ast.Await):
            node = node.value
        if isinstance(node, ast.Call):
            return True
        name = plain_name(node)
        return bool(name) and scope.is_result(name)

    def _dotted(self, base: str, parts: list[str]) -> str:
        dotted = ".".join((base, *reversed(parts)))
        return dotted if len(dotted) <= _MAXIMUM_DOTTED else ""

    # -- recording -------------------------------------------------------------------------

    def _call(self, node: ast.Call, scope: Scope, offset: int, target: str) -> str:
        """Record a call; returns the function, empty where it has no name."""
        function = self._resolve(node.func, scope)
        if not function:
            function = local_name(node.func)
            if not function:
                return ""
        elif self._is_result(node.func, scope):
            function += ".__call__"
        arguments: dict[str, JsonValue] = {}
        references: dict[str, tuple[str, ...]] = {}
        defaults: dict[str, str] = {}
        for key, value in given_arguments(node):
            found = arguments[key] = literal_or_null(value, scope.value)
            if type(value) is ast.Constant:
                continue
            if names := tuple(self._references(value, scope)):
                references[key] = names
            if found is None and (likely := fallback(value, scope)):
                defaults[key] = likely
        line, end = node.lineno + offset, (node.end_lineno or node.lineno) + offset
        first = arguments.get("0")
        if isinstance(first, str) and first.isupper() and "_" in first and len(first) <= _LONGEST:
            self._variables.append(Variable(first, line, scope.name, target))
        self._calls.append(
            Call(function, arguments, line, end, scope.name, target, references, defaults)
        )
        return function

    def _references(self, value: ast.expr, scope: Scope) -> Iterator[str]:
        items = value.elts[:50] if isinstance(value, ast.List | ast.Tuple) else [value]
        for item in items:
            if isinstance(item, ast.Name):
                yield scope.binding(item.id) or item.id
            elif isinstance(item, ast.Attribute | ast.Call) and (
                name := self._resolve(item, scope) or local_name(item)
            ):
                yield name

    def _message(self, node: ast.Dict, scope: Scope, offset: int) -> None:
        keys = (key.value for key in node.keys if isinstance(key, ast.Constant))
        found = literal(node, scope.value) if "role" in keys else None
        if isinstance(found, dict) and found.get("role") in ("system", "developer"):
            content = found.get("content")
            if isinstance(content, str):
                role = str(found["role"])
                self._messages.append(Assignment(role, content, node.lineno + offset))
            elif text := filled_text(dict_value(node, "content")):
                self._messages.append(
                    Assignment("system", text[:MAXIMUM_TEXT], node.lineno + offset)
                )

    def _function(self, node: _FunctionNode, scope: Scope, offset: int) -> None:
        name = scope.within(node.name)
        decorators = tuple(self._decorators(node, scope))
        self._functions.append(
            Function(
                name,
                node.lineno + offset,
                (node.end_lineno or node.lineno) + offset,
                ast.get_docstring(node) or "",
                decorators,
            )
        )
        scope.names.setdefault(node.name, LOCAL)
        inner = Scope(name, scope)
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            annotation = argument.annotation
            inner.names[argument.arg] = self._resolve(annotation, scope) if annotation else LOCAL
        for star in (arguments.vararg, arguments.kwarg):
            if star is not None:
                inner.names[star.arg] = LOCAL
        for name, value in parameter_defaults(arguments):
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                inner.fallbacks[name] = value.value[:_LONGEST]
            elif likely := fallback(value, scope):
                inner.fallbacks[name] = likely
        self._waiting.append((node.body, inner, offset))

    def _decorators(self, node: _FunctionNode, scope: Scope) -> Iterator[Decorator]:
        for decorator in node.decorator_list:
            name = self._absolute(decorator, scope) or local_name(decorator)
            if isinstance(decorator, ast.Call):
                yield Decorator(
                    name,
                    {
                        key: literal_or_null(each, scope.value)
                        for key, each in given_arguments(decorator)
                    },
                )
            elif name:
                yield Decorator(name)

    def _class(self, node: ast.ClassDef, scope: Scope, offset: int) -> None:
        inner = Scope(scope.within(node.name), scope, is_class=True)
        attributes: dict[str, JsonValue] = {}
        for statement in node.body:
            if isinstance(statement, ast.AnnAssign) and statement.value is None:
                if isinstance(statement.target, ast.Name):
                    attributes.setdefault(statement.target.id, None)
            elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                targets = (
                    statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                )
                if isinstance(targets[0], ast.Name):
                    attributes[targets[0].id] = literal_or_null(statement.value, scope.value)
        self._classes.append(
            ClassDefinition(
                inner.name,
                node.lineno + offset,
                tuple(filter(None, (self._absolute(base, scope) for base in node.bases))),
                ast.get_docstring(node) or "",
                attributes,
            )
        )
        scope.names.setdefault(node.name, LOCAL)
        self._waiting.append((node.body, inner, offset))
