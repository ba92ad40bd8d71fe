"""Evaluate templates with a chart's own values; what cannot be evaluated is named, not guessed.

A place that fails renders as a mark, so that the rest of the document can still be read, and its
line is noted. Nothing is run: the functions are those of this package, under one budget.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keepwall.formats.helm_functions import FUNCTIONS, SHALLOW
from keepwall.formats.helm_syntax import (
    Action,
    Block,
    Command,
    Literal,
    Node,
    Operand,
    Pipeline,
    Reference,
    Text,
    parse_template,
)
from keepwall.formats.helm_values import (
    MARK,
    UNKNOWN,
    Budget,
    Method,
    PartialValues,
    Problems,
    UnevaluatedError,
    printed,
    truth,
    weigh,
    yaml_text,
)
from keepwall.formats.safe_yaml import YamlValue
from keepwall.vocabulary.errors import FormatError

_DEPTH = 50
_PARSING = frozenset({"fromYaml", "fromYamlArray", "fromJson", "mustFromJson"})
_NO_ARGUMENT: YamlValue = object()


@dataclass(slots=True)
class Rendered:
    """Text with, for each of its lines, the line of the template that it came from."""

    pieces: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=lambda: [1])
    blank: bool = True

    def add(self, text: str, line: int, *, follows: bool) -> None:
        """Append `text`; with `follows` each line break in it is one of the template, too."""
        self.pieces.append(text)
        for number, part in enumerate(text.split("\n")):
            if number:
                self.lines.append(0)
                self.blank = True
            at = line + number if follows else line
            if self.blank:
                self.lines[-1] = at
            self.blank = self.blank and not part.strip()

    def __str__(self) -> str:
        return "".join(self.pieces)


class _Leave(Exception):  # noqa: N818 - not an error: break and continue of a loop
    def __init__(self, kind: str) -> None:
        self.kind = kind


@dataclass(slots=True)
class Renderer:
    """Evaluates the templates of one chart; `defined` holds those that have names."""

    defined: Mapping[str, tuple[Node, ...]]
    budget: Budget = field(default_factory=Budget)
    problems: Problems = field(default_factory=Problems)
    _depth: int = 0
    _line: int = 0

    def render(self, nodes: tuple[Node, ...], root: YamlValue) -> Rendered:
        """Return the text of a template.

        Raises:
            ExhaustedError: the chart asks for too much.
        """
        out = Rendered()
        self._nodes(nodes, root, [{"$": root}], out)
        return out

    def _nodes(
        self,
        nodes: tuple[Node, ...],
        dot: YamlValue,
        scopes: list[dict[str, YamlValue]],
        out: Rendered,
    ) -> None:
        for node in nodes:
            self.budget.spend()
            if isinstance(node, Text):
                self.budget.spend(characters=len(node.text))
                out.add(node.text, node.line, follows=True)
                continue
            if not self._depth:
                self._line = node.line
            try:
                if isinstance(node, Block):
                    self._block(node, dot, scopes, out)
                else:
                    self._action(node, dot, scopes, out)
            except UnevaluatedError as error:
                self.problems.note(self._line, str(error))
                if isinstance(node, Action):
                    self._unknown(node, scopes, out)

    def _unknown(self, node: Action, scopes: list[dict[str, YamlValue]], out: Rendered) -> None:
        for name in node.pipeline.variables:
            scopes[-1][name] = UNKNOWN
        # A mark alone on its line would be no YAML; nothing that is read stands there anyway.
        if not node.pipeline.variables and not out.blank:
            space = " " if out.pieces[-1].endswith(":") else ""
            out.add(space + MARK, node.line, follows=False)

    def _action(
        self, node: Action, dot: YamlValue, scopes: list[dict[str, YamlValue]], out: Rendered
    ) -> None:
        if node.kind in ("break", "continue"):
            raise _Leave(node.kind)
        value = self._pipeline(node.pipeline, dot, scopes) if node.pipeline.commands else None
        if node.kind == "template":
            value = self._include(node.name, value)
        elif node.pipeline.variables:
            return
        weigh(value, self.budget)
        text = printed(value)
        self.budget.spend(characters=len(text))
        out.add(text, node.line, follows=False)

    def _block(
        self, node: Block, dot: YamlValue, scopes: list[dict[str, YamlValue]], out: Rendered
    ) -> None:
        inner = [*scopes, {}]
        value = self._pipeline(node.pipeline, dot, inner)
        if node.kind == "range":
            self._range(node, value, (dot, inner), out)
        elif truth(value):
            self._nodes(node.body, value if node.kind == "with" else dot, inner, out)
        else:
            self._nodes(node.otherwise, dot, inner, out)

    def _range(
        self,
        node: Block,
        value: YamlValue,
        place: tuple[YamlValue, list[dict[str, YamlValue]]],
        out: Rendered,
    ) -> None:
        dot, scopes = place
        pairs: list[tuple[YamlValue, YamlValue]]
        if isinstance(value, dict):
            pairs = [(key, value[key]) for key in sorted(value)]
        elif isinstance(value, list):
            pairs = list(enumerate(value))
        elif isinstance(value, int) and not isinstance(value, bool):
            self.budget.spend(max(value, 0))
            pairs = [(each, each) for each in range(value)]
        elif not truth(value):
            pairs = []
        else:
            raise UnevaluatedError("goes over something that is no list")
        if not pairs:
            self._nodes(node.otherwise, dot, scopes, out)
        names = node.pipeline.variables
        for key, each in pairs:
            found = (each,) if len(names) == 1 else (key, each)
            scope = dict(zip(names, found, strict=False))
            try:
                self._nodes(node.body, each, [*scopes, scope], out)
            except _Leave as leave:
                if leave.kind == "break":
                    return

    def _pipeline(
        self, pipeline: Pipeline, dot: YamlValue, scopes: list[dict[str, YamlValue]]
    ) -> YamlValue:
        value = _NO_ARGUMENT
        for command in pipeline.commands:
            value = self._command(command, dot, scopes, value)
        # A loop sets its own variables for each item.
        if pipeline.variables and len(pipeline.variables) == 1:
            name = pipeline.variables[0]
            scope = scopes[-1]
            if not pipeline.declares:
                scope = next((each for each in reversed(scopes) if name in each), scope)
            scope[name] = value
        return value

    def _command(
        self,
        command: Command,
        dot: YamlValue,
        scopes: list[dict[str, YamlValue]],
        last: YamlValue,
    ) -> YamlValue:
        self.budget.spend()
        head, rest = command[0], command[1:]
        if isinstance(head, Reference) and isinstance(head.root, str) and head.root[0] not in ".$":
            value = self._call(head.root, rest, (dot, scopes), last)
            return _field(value, head.path) if head.path else value
        value = self._operand(head, dot, scopes)
        if isinstance(value, Method):
            arguments = [self._operand(each, dot, scopes) for each in rest]
            return value.call(*arguments, *([] if last is _NO_ARGUMENT else [last]))
        if rest or last is not _NO_ARGUMENT:
            if value is UNKNOWN:
                return UNKNOWN
            raise UnevaluatedError("gives arguments to something that is no function")
        return value

    def _operand(
        self, operand: Operand, dot: YamlValue, scopes: list[dict[str, YamlValue]]
    ) -> YamlValue:
        if isinstance(operand, Literal):
            return operand.value
        root = operand.root
        if isinstance(root, Pipeline):
            self._enter()
            try:
                value = self._pipeline(root, dot, [*scopes, {}])
            finally:
                self._depth -= 1
        elif root == ".":
            value = dot
        elif root[0] == "$":
            scope = next((each for each in reversed(scopes) if root in each), None)
            if scope is None:
                raise UnevaluatedError(f"uses the unknown variable {root}")
            value = scope[root]
        else:
            value = self._call(root, (), (dot, scopes), _NO_ARGUMENT)
        return _field(value, operand.path) if operand.path else value

    def _enter(self) -> None:
        self._depth += 1
        if self._depth > _DEPTH:
            self._depth -= 1
            raise UnevaluatedError(f"nests deeper than {_DEPTH} levels, as if it never ended")

    def _call(
        self,
        name: str,
        operands: tuple[Operand, ...],
        place: tuple[YamlValue, list[dict[str, YamlValue]]],
        last: YamlValue,
    ) -> YamlValue:
        dot, scopes = place
        if name in ("and", "or"):
            return self._logic(name, operands, place, last)
        arguments = [self._operand(each, dot, scopes) for each in operands]
        if last is not _NO_ARGUMENT:
            arguments.append(last)
        if name in ("include", "tpl", "required", "fail", "toYaml", "mustToYaml", "toYamlPretty"):
            return self._special(name, arguments)
        function = FUNCTIONS.get(name)
        if function is None:
            raise UnevaluatedError(f"uses the function {name}, which is not known here")
        if name not in SHALLOW:
            weigh(arguments, self.budget)
        if name in _PARSING and arguments and isinstance(arguments[0], str):
            self.budget.spend(characters=len(arguments[0]))
        try:
            value = function(*arguments)
        except (
            TypeError,
            ValueError,
            IndexError,
            KeyError,
            OverflowError,
            ArithmeticError,
        ) as error:
            raise UnevaluatedError(f"gives {name} something that it cannot use") from error
        self.budget.spend(characters=len(value) if isinstance(value, str | list | dict) else 0)
        return value

    def _logic(
        self,
        name: str,
        operands: tuple[Operand, ...],
        place: tuple[YamlValue, list[dict[str, YamlValue]]],
        last: YamlValue,
    ) -> YamlValue:
        """Return what ``and`` or ``or`` stops at."""
        value: YamlValue = None
        for each in operands:
            value = self._operand(each, *place)
            if truth(value) is (name == "or"):
                return value
        return value if last is _NO_ARGUMENT else last

    def _special(self, name: str, arguments: list[YamlValue]) -> YamlValue:
        first = arguments[0] if arguments else None
        second = arguments[1] if len(arguments) > 1 else None
        if name == "include":
            return self._include(printed(first), second)
        if name == "tpl":
            return self._text(first, second)
        if name == "required":
            if second is None or second == "":
                raise UnevaluatedError(
                    f"needs a value that the chart does not give: {_short(first)}"
                )
            return second
        if name == "fail":
            return ""  # a check of values and of the cluster, which hides nothing
        weigh(first, self.budget)
        return yaml_text(first, self.budget)

    def _include(self, name: str, argument: YamlValue) -> str:
        nodes = self.defined.get(name)
        if nodes is None:
            raise UnevaluatedError(f"includes {name!r}, which this chart does not define")
        return self._inner(nodes, argument)

    def _text(self, text: YamlValue, argument: YamlValue) -> YamlValue:
        if not isinstance(text, str) or "{{" not in text:
            return text
        self.budget.spend(characters=len(text))
        try:
            return self._inner(parse_template(text).nodes, argument)
        except FormatError as error:
            raise UnevaluatedError(f"holds a text that is no template: {error.message}") from error

    def _inner(self, nodes: tuple[Node, ...], argument: YamlValue) -> str:
        self._enter()
        try:
            out = Rendered()
            self._nodes(nodes, argument, [{"$": argument}], out)
            return str(out)
        finally:
            self._depth -= 1


def _field(value: YamlValue, path: tuple[str, ...]) -> YamlValue:
    """Return the field that `path` names; nothing where the last part is not there."""
    for name in path:
        if value is UNKNOWN:
            return UNKNOWN
        if value is None:
            raise UnevaluatedError(f"asks for .{name} of nothing")
        if not isinstance(value, dict):
            raise UnevaluatedError(f"asks for .{name} of something that has no fields")
        value = value.get(name, UNKNOWN if isinstance(value, PartialValues) else None)
    return value


def _short(value: YamlValue) -> str:
    return " ".join(printed(value).split())[:160]
