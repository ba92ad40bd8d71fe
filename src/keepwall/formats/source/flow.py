"""Where text from outside goes within one function: names that hold it, calls that it reaches.

The analysis is of one function at a time, in the order of its lines. It follows names through
assignments, loops, ``with`` and texts that are put together, and through calls that are known to
hand a text on. Fields and other functions are not followed, so what is found is sure rather than
complete.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from keepwall.formats.source.fallbacks import parameter_defaults

_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_SCOPES = (*_FUNCTIONS, ast.ClassDef, ast.Lambda)
_MAXIMUM_NODES = 20_000
_OWN = frozenset(
    {"self", "cls", "ctx", "context", "request", "req", "app", "db", "session", "user"}
)
_INJECTED = frozenset({"Depends", "Security", "Inject", "Provide"})
_FILLS = frozenset({"format", "join", "replace", "format_map"})
_NO_TEXT = frozenset(
    {"int", "float", "bool", "datetime", "date", "UUID", "Request", "Response", "WebSocket"}
    | {"BackgroundTasks", "UploadFile", "Context", "RunContext", "RunContextWrapper", "ToolContext"}
    | {"Session", "AsyncSession", "Literal"}
)
Place = tuple[int, str]
"""A call: its line, and the last part of the function's name."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Text of `origin` that reaches the call `sink` through the variable `through`."""

    origin: str
    sink: str
    through: str
    line: int


@dataclass(frozen=True, slots=True)
class Sink:
    """A call that text must not reach.

    With `head` only what the argument begins with counts, as the host of a URL; text of an origin
    in `harmless` may reach it.
    """

    function: str
    head: bool = False
    harmless: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for.

    `functions` get their parameters from outside, `sources` bring text in (each with the origin),
    `sinks` are calls that it must not reach, and `passes` are functions that hand it on.
    """

    functions: Mapping[str, str]
    sources: Mapping[Place, str]
    sinks: Mapping[Place, Sink]
    passes: frozenset[str]


def trace(tree: ast.Module, question: Question) -> Iterator[Flow]:
    """Yield the flows in the functions of `tree` that `question` is about."""
    waiting: list[tuple[ast.AST, str]] = [(tree, "")]
    left = _MAXIMUM_NODES
    while waiting and left:
        left -= 1
        node, name = waiting.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, (*_FUNCTIONS, ast.ClassDef)):
                inner = f"{name}.{child.name}" if name else child.name
                waiting.append((child, inner))
                if isinstance(child, _FUNCTIONS):
                    yield from _Tracer(question, {}).function(child, inner)
            elif not isinstance(child, ast.expr):
                waiting.append((child, name))


@dataclass(slots=True)
class _Tracer:
    """The names of one function that hold text from outside, with where it is from."""

    question: Question
    held: dict[str, str]
    heads: set[str] = field(default_factory=set)
    """Names whose text begins with what is from outside."""

    def function(self, node: ast.FunctionDef | ast.AsyncFunctionDef, name: str) -> Iterator[Flow]:
        origin = self.question.functions.get(name)
        if origin is not None:
            arguments = node.args
            given = {
                name
                for name, value in parameter_defaults(arguments)
                if isinstance(value, ast.Call) and _last(value.func) in _INJECTED
            }
            for each in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
                if each.arg not in _OWN | given and _is_text(each.annotation):
                    self.held[each.arg] = origin
                    self.heads.add(each.arg)
        seen: set[tuple[int, str]] = set()
        for flow in self._block(node.body):
            if (flow.line, flow.sink) not in seen:
                seen.add((flow.line, flow.sink))
                yield flow

    def _block(self, body: list[ast.stmt]) -> Iterator[Flow]:
        waiting: list[ast.stmt] = body[::-1]
        while waiting:
            node = waiting.pop()
            if isinstance(node, _SCOPES):
                continue
            yield from self._sinks(node)
            self._bind(node)
            blocks = [getattr(node, each, []) for each in ("body", "orelse", "finalbody")]
            handlers = getattr(node, "handlers", []) + getattr(node, "cases", [])
            blocks[1:1] = [each.body for each in handlers]
            for block in reversed(blocks):
                waiting += [each for each in reversed(block) if isinstance(each, ast.stmt)]

    def _bind(self, node: ast.stmt) -> None:
        if isinstance(node, ast.Assign):
            self._assign(node.targets, node.value)
        elif isinstance(node, ast.AnnAssign) and node.value is not None:
            self._assign([node.target], node.value)
        elif isinstance(node, ast.AugAssign):
            if isinstance(node.target, ast.Name) and (found := self._origin(node.value)):
                self.held.setdefault(node.target.id, found[0])  # it still begins as it did
        elif isinstance(node, ast.For | ast.AsyncFor):
            self._assign([node.target], node.iter)
        elif isinstance(node, ast.With | ast.AsyncWith):
            for item in node.items:
                if item.optional_vars is not None:
                    self._assign([item.optional_vars], item.context_expr)

    def _assign(self, targets: list[ast.expr], value: ast.expr) -> None:
        found = self._origin(value)
        heads = found is not None and self._origin(value, head=True) is not None
        for target in targets:
            names = target.elts if isinstance(target, ast.Tuple | ast.List) else [target]
            for each in names:
                if isinstance(each, ast.Name):
                    self.heads.discard(each.id)
                    if found is None:
                        self.held.pop(each.id, None)
                        continue
                    self.held[each.id] = found[0]
                    if heads:
                        self.heads.add(each.id)

    def _origin(self, node: ast.AST, *, head: bool = False) -> tuple[str, str] | None:
        """Return where the text that `node` holds is from and the name that holds it, or None.

        With `head` only what the text begins with is looked at.
        """
        waiting: list[ast.AST] = [node]
        while waiting:
            each = waiting.pop()
            if isinstance(each, ast.Name) and each.id in self.held:
                if not head or each.id in self.heads:
                    return self.held[each.id], each.id
            elif isinstance(each, ast.Call):
                last = _last(each.func)
                if found := self.question.sources.get((each.lineno, last)):
                    return found, last
                if last not in self.question.passes:
                    continue
            if isinstance(each, ast.Subscript):
                waiting.append(each.value)  # what is chosen with text is not that text
            elif isinstance(each, ast.IfExp):
                waiting += [each.body, each.orelse]
            elif not isinstance(each, (*_SCOPES, ast.Compare)):
                waiting += _beginning(each) if head else ast.iter_child_nodes(each)
        return None

    def _sinks(self, statement: ast.stmt) -> Iterator[Flow]:
        """Yield the flows into calls of a statement, without those of the blocks inside it."""
        waiting: list[ast.AST] = [statement]
        while waiting:
            node = waiting.pop()
            if isinstance(node, ast.Call):
                sink = self.question.sinks.get((node.lineno, _last(node.func)))
                argument = _dangerous(node) if sink else None
                if sink is not None and argument is not None:
                    found = self._origin(argument, head=sink.head)
                    if found is not None and found[0] not in sink.harmless:
                        yield Flow(found[0], sink.function, found[1], node.lineno)
            waiting += [
                each
                for each in ast.iter_child_nodes(node)
                if not isinstance(each, (ast.stmt, ast.ExceptHandler, ast.match_case, ast.Lambda))
            ]


def _dangerous(node: ast.Call) -> ast.expr | None:
    """Return the argument that decides what happens: the first; of a list of words, the program."""
    given = node.args[0] if node.args else None
    if given is None:
        names = ("args", "command", "cmd", "url", "sql", "file", "path")
        given = next((each.value for each in node.keywords if each.arg in names), None)
    shell = any(
        each.arg == "shell" and isinstance(each.value, ast.Constant) and each.value.value
        for each in node.keywords
    )
    if isinstance(given, ast.List | ast.Tuple) and not shell:
        words = [each.value for each in given.elts[:2] if isinstance(each, ast.Constant)]
        runs = len(words) == 2 and words[1] in ("-c", "-e", "/c", "-Command")  # noqa: PLR2004 - shell, option
        return given if runs else (given.elts[0] if given.elts else None)
    return given


def _beginning(node: ast.AST) -> list[ast.AST]:
    """Return the children of `node` that its text may begin with."""
    if isinstance(node, ast.JoinedStr):
        return list(node.values[:1])
    if isinstance(node, ast.BinOp):
        return [node.left]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return [node.func.value, *(node.args if node.func.attr not in _FILLS else ())]
    return list(ast.iter_child_nodes(node))


def _is_text(annotation: ast.expr | None) -> bool:
    """Return whether a parameter may hold free text: numbers, dates and the request may not.

    What a request holds is text only as far as its body, query and fields are read.
    """
    name = _last(annotation) if annotation is not None else ""
    return name not in _NO_TEXT


def _last(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""
