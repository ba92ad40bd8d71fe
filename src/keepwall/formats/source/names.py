"""Follow names through a module: one pass over its scopes, without recursion."""

from __future__ import annotations

import ast
import builtins
from collections import deque
from collections.abc import Iterator
from dataclasses import replace

from keepwall.formats.source.literals import NOT_LITERAL, literal, literal_or_null
from keepwall.formats.source.model import (
    Assignment,
    Call,
    ClassDefinition,
    Decorator,
    Function,
    Import,
    Module,
)
from keepwall.formats.source.scope import LOCAL, Scope
from keepwall.vocabulary.json_value import JsonValue

_MAXIMUM_DOTTED = 200
_MAXIMUM_STEPS = 60
_BUILTINS = frozenset(dir(builtins))
_FunctionNode = ast.FunctionDef | ast.AsyncFunctionDef
_ScopeNode = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda


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
        )

    def _block(self, body: list[ast.stmt], scope: Scope, offset: int) -> None:
        stack: list[tuple[ast.AST, str]] = [(node, "") for node in reversed(body)]
        while stack:
            node, target = stack.pop()
            if isinstance(node, _FunctionNode):
                self._function(node, scope, offset)
                outside = [*node.decorator_list, *node.args.defaults, *node.args.kw_defaults]
                stack += [(each, "") for each in outside if each is not None]
                continue
            if isinstance(node, ast.ClassDef):
                self._class(node, scope, offset)
                continue
            target = self._bind(node, scope, offset) or target
            if isinstance(node, ast.Call):
                self._call(node, scope, offset, target)
            elif isinstance(node, ast.Dict):
                self._message(node, scope, offset)
            elif isinstance(node, ast.While) and _endless(node):
                self._endless.add(scope.name)
            keeps = target if isinstance(node, ast.Assign | ast.AnnAssign | ast.Await) else ""
            children = [(child, keeps) for child in ast.iter_child_nodes(node)]
            stack += reversed(children)

    # -- binding ---------------------------------------------------------------------------

    def _bind(self, node: ast.AST, scope: Scope, offset: int) -> str:
        """Record what `node` binds; returns the name that an assigned call gets."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            self._import(node, scope, offset)
        elif isinstance(node, ast.Assign):
            for each in node.targets:
                self._assign(each, node.value, scope, node.lineno + offset)
            return _plain(node.targets[0])
        elif isinstance(node, ast.AnnAssign):
            if node.value is not None:
                self._assign(node.target, node.value, scope, node.lineno + offset)
            elif isinstance(node.target, ast.Name):
                scope.names[node.target.id] = self._resolve(node.annotation, scope) or LOCAL
            return _plain(node.target)
        elif isinstance(node, ast.NamedExpr):
            self._assign(node.target, node.value, scope, node.lineno + offset)
        else:
            self._shadow(node, scope)
        return ""

    def _shadow(self, node: ast.AST, scope: Scope) -> None:
        """Record what ``with``, ``for`` and ``+=`` do to names."""
        if isinstance(node, ast.withitem) and isinstance(node.optional_vars, ast.Name):
            held = self._resolve(node.context_expr, scope)
            scope.names[node.optional_vars.id] = held or LOCAL
            scope.results.add(node.optional_vars.id)
        elif isinstance(node, ast.AugAssign) and (added := _plain(node.target)):
            home = (scope.owner() or scope) if added.startswith("self.") else scope
            home.literals[added] = NOT_LITERAL  # what it names stays, what it holds is not known
        elif isinstance(node, ast.For | ast.AsyncFor | ast.comprehension):
            for name in ast.walk(node.target):
                if isinstance(name, ast.Name):
                    scope.names[name.id] = LOCAL
                    scope.literals.pop(name.id, None)

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
        name = _plain(target)
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

    def _is_result(self, node: ast.expr, scope: Scope) -> bool:
        """Return whether `node` is what a call returned, and so no name of a function itself."""
        while isinstance(node, ast.Await):
            node = node.value
        if isinstance(node, ast.Call):
            return True
        name = _plain(node)
        return bool(name) and scope.is_result(name)

    def _dotted(self, base: str, parts: list[str]) -> str:
        if base.startswith(".") and self._package:
            base = self._package + base
        dotted = ".".join((base, *reversed(parts)))
        return dotted if len(dotted) <= _MAXIMUM_DOTTED else ""

    # -- recording -------------------------------------------------------------------------

    def _call(self, node: ast.Call, scope: Scope, offset: int, target: str) -> None:
        function = self._resolve(node.func, scope)
        if not function:
            function = _local_name(node.func)
            if not function:
                return
        elif self._is_result(node.func, scope):
            function += ".__call__"
        arguments: dict[str, JsonValue] = {}
        references: dict[str, tuple[str, ...]] = {}
        for key, value in _arguments(node):
            arguments[key] = literal_or_null(value, scope.value)
            if names := tuple(self._references(value, scope)):
                references[key] = names
        end = (node.end_lineno or node.lineno) + offset
        self._calls.append(
            Call(function, arguments, node.lineno + offset, end, scope.name, target, references)
        )

    def _references(self, value: ast.expr, scope: Scope) -> Iterator[str]:
        items = value.elts[:50] if isinstance(value, ast.List | ast.Tuple) else [value]
        for item in items:
            if isinstance(item, ast.Name):
                yield scope.binding(item.id) or item.id
            elif isinstance(item, ast.Attribute | ast.Call) and (
                name := self._resolve(item, scope) or _local_name(item)
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
        self._waiting.append((node.body, inner, offset))

    def _decorators(self, node: _FunctionNode, scope: Scope) -> Iterator[Decorator]:
        for decorator in node.decorator_list:
            name = self._resolve(decorator, scope) or _local_name(decorator)
            if isinstance(decorator, ast.Call):
                yield Decorator(
                    name,
                    {
                        key: literal_or_null(each, scope.value)
                        for key, each in _arguments(decorator)
                    },
                )
            elif name:
                yield Decorator(name)

    def _class(self, node: ast.ClassDef, scope: Scope, offset: int) -> None:
        inner = Scope(scope.within(node.name), scope, is_class=True)
        attributes: dict[str, JsonValue] = {}
        for statement in node.body:
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                targets = (
                    statement.targets if isinstance(statement, ast.Assign) else [statement.target]
                )
                if isinstance(targets[0], ast.Name):
                    attributes[targets[0].id] = literal_or_null(statement.value, scope.value)
        self._classes.append(
            ClassDefinition(
                inner.name,
                node.lineno + offset,
                tuple(filter(None, (self._resolve(base, scope) for base in node.bases))),
                ast.get_docstring(node) or "",
                attributes,
            )
        )
        scope.names.setdefault(node.name, LOCAL)
        self._waiting.append((node.body, inner, offset))


def _endless(loop: ast.While) -> bool:
    """Return whether `loop` asks no question and holds nothing that leaves it."""
    if not (isinstance(loop.test, ast.Constant) and loop.test.value):
        return False
    waiting: list[ast.AST] = list(loop.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Break | ast.Return | ast.Raise | ast.Yield | ast.YieldFrom):
            return False
        if not isinstance(node, _ScopeNode):
            waiting += ast.iter_child_nodes(node)
    return True


def _arguments(node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield the arguments: positional ones by number, keywords by name; ``**`` is left out."""
    for index, value in enumerate(node.args):
        if not isinstance(value, ast.Starred):
            yield str(index), value
    for keyword in node.keywords:
        if keyword.arg is not None:
            yield keyword.arg, keyword.value


def _plain(node: ast.expr) -> str:
    """Return a target such as ``name`` or ``c.ServerApp.token``, else an empty text."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name) or len(parts) > 5:  # noqa: PLR2004 - deeper is no setting
        return ""
    return ".".join((node.id, *reversed(parts)))


def _local_name(node: ast.expr) -> str:
    """Return the name of something defined in this module, marked with a leading colon."""
    while isinstance(node, ast.Call):
        node = node.func
    name = _plain(node)
    return f":{name}" if name else ""
