"""The syntax of Go templates as Helm charts use them: text to a tree, nothing evaluated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from keepwall.formats.helm_tokens import Token, chunks, tokens
from keepwall.vocabulary.errors import FormatError

_DEPTH = 40
_MAXIMUM_NODES = 50_000


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant; None is nil."""

    value: object


@dataclass(frozen=True, slots=True)
class Reference:
    """A value by name: `root` is ``.``, a variable, a function or a nested pipeline."""

    root: str | Pipeline
    path: tuple[str, ...] = ()


Operand = Literal | Reference
Command = tuple[Operand, ...]
"""An operand with its arguments."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each of which gets the result of the one before as its last argument."""

    commands: tuple[Command, ...]
    variables: tuple[str, ...] = ()
    declares: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Text as it stands, from `line` on."""

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class Action:
    """``{{ … }}``; `kind` is output, template, break or continue."""

    kind: str
    pipeline: Pipeline
    line: int
    name: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """``if``, ``with`` or ``range`` with its body; else-if is a block alone in `otherwise`."""

    kind: str
    pipeline: Pipeline
    body: tuple[Node, ...]
    otherwise: tuple[Node, ...]
    line: int


Node = Text | Action | Block


@dataclass(frozen=True, slots=True)
class Template:
    """A parsed file: its own nodes, and the templates that it defines by name."""

    nodes: tuple[Node, ...]
    defined: dict[str, tuple[Node, ...]]


def parse_template(text: str) -> Template:
    """Return the tree of a template.

    Raises:
        FormatError: it is none, nests too deeply or is too large; the place is a line.
    """
    return _Parser(chunks(text)).template()


class _Parser:
    def __init__(self, pieces: Sequence[tuple[str, str, int]]) -> None:
        self._pieces = pieces
        self._at = 0
        self._nodes = 0
        self._defined: dict[str, tuple[Node, ...]] = {}

    def template(self) -> Template:
        nodes, end = self._body(0)
        if end is not None:
            raise FormatError(f"{end[0]} without a block", place=f"line {end[2]}")
        return Template(nodes, self._defined)

    def _body(self, depth: int) -> tuple[tuple[Node, ...], tuple[str, str, int] | None]:
        """Return nodes up to ``else`` or ``end`` (or the end of the text), and what ended them."""
        found: list[Node] = []
        while self._at < len(self._pieces):
            kind, text, line = self._pieces[self._at]
            self._at += 1
            self._nodes += 1
            if depth > _DEPTH or self._nodes > _MAXIMUM_NODES:
                what = "blocks nest too deeply" if depth > _DEPTH else "too many actions"
                raise FormatError(what, place=f"line {line}")
            if kind == "text":
                found.append(Text(text, line))
                continue
            word, _, rest = text.partition(" ")
            if word in ("else", "end"):
                return tuple(found), (word, rest.strip(), line)
            if word in ("if", "with", "range"):
                found.append(self._block(word, rest, line, depth))
            elif word in ("define", "block"):
                found += self._define(word, rest, line, depth)
            elif word == "template":
                name, pipeline = _named(rest, line)
                found.append(Action("template", pipeline, line, name))
            elif word in ("break", "continue"):
                found.append(Action(word, Pipeline(()), line))
            elif text:
                found.append(Action("output", parse_pipeline(text, line), line))
        return tuple(found), None

    def _block(self, kind: str, rest: str, line: int, depth: int) -> Block:
        pipeline = parse_pipeline(rest, line)
        body, end = self._body(depth + 1)
        otherwise: tuple[Node, ...] = ()
        if end is not None and end[0] == "else":
            word, _, condition = end[1].partition(" ")
            if word in ("if", "with"):
                # The chained block takes the one ``end`` that closes them all.
                return Block(
                    kind, pipeline, body, (self._block(word, condition, end[2], depth + 1),), line
                )
            otherwise, end = self._body(depth + 1)
        if end is None or end[0] != "end":
            raise FormatError(f"{kind} without its end", place=f"line {line}")
        return Block(kind, pipeline, body, otherwise, line)

    def _define(self, word: str, rest: str, line: int, depth: int) -> list[Node]:
        name, pipeline = _named(rest, line)
        body, end = self._body(depth + 1)
        if end is None or end[0] != "end":
            raise FormatError(f"{word} without its end", place=f"line {line}")
        self._defined[name] = body
        return [Action("template", pipeline, line, name)] if word == "block" else []


def _named(text: str, line: int) -> tuple[str, Pipeline]:
    """Return the quoted name at the start of `text` and the pipeline after it."""
    words = tokens(text, line)
    if not words or words[0].kind != "string":
        raise FormatError("a template needs a name in quotes", place=f"line {line}")
    return str(words[0].value), _PipelineParser(words[1:], line).whole()


def parse_pipeline(text: str, line: int) -> Pipeline:
    """Return the pipeline that `text` holds.

    Raises:
        FormatError: it is none.
    """
    return _PipelineParser(tokens(text, line), line).whole()


class _PipelineParser:
    def __init__(self, words: list[Token], line: int) -> None:
        self._words = words
        self._line = line
        self._at = 0

    def whole(self) -> Pipeline:
        found = self._pipeline(0)
        if self._at < len(self._words):
            raise self._error(f"unexpected {self._words[self._at].value}")
        return found

    def _error(self, text: str) -> FormatError:
        return FormatError(text, place=f"line {self._line}")

    def _peek(self, offset: int = 0) -> Token:
        at = self._at + offset
        return self._words[at] if at < len(self._words) else Token("end", "")

    def _pipeline(self, depth: int) -> Pipeline:
        if depth > _DEPTH:
            raise self._error("parentheses nest too deeply")
        variables: tuple[str, ...] = ()
        declares = False
        for count in (1, 2):
            sign = self._peek(count)
            if sign.kind == "assign" and self._peek().kind == "variable":
                variables = tuple(str(self._peek(each).value) for each in range(count))
                declares = sign.value == ":="
                self._at += count + 1
                break
        commands: list[Command] = []
        while self._peek().kind not in ("end", "close"):
            command = self._command(depth)
            if not command:
                raise self._error("an empty command")
            commands.append(command)
            if self._peek().kind != "pipe":
                break
            self._at += 1
        return Pipeline(tuple(commands), variables, declares)

    def _command(self, depth: int) -> Command:
        found: list[Operand] = []
        while (word := self._peek()).kind not in ("end", "close", "pipe"):
            self._at += 1
            if word.kind in ("string", "number", "constant"):
                found.append(Literal(word.value))
            elif word.kind == "open":
                inner = self._pipeline(depth + 1)
                if self._peek().kind != "close":
                    raise self._error("a parenthesis is not closed")
                self._at += 1
                found.append(Reference(inner, self._path()))
            elif word.kind in ("name", "variable"):
                found.append(Reference(str(word.value), self._path()))
            elif word.kind == "field":
                path = tuple(str(word.value).strip(".").split(".")) if word.value != "." else ()
                found.append(Reference(".", path))
            else:
                raise self._error(f"unexpected {word.value}")
        return tuple(found)

    def _path(self) -> tuple[str, ...]:
        """Return the fields that follow without a space."""
        word = self._peek()
        if word.kind == "field" and word.joined and word.value != ".":
            self._at += 1
            return tuple(str(word.value).strip(".").split("."))
        return ()
