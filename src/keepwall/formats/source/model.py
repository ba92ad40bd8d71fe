"""What is read from source code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keepwall.vocabulary.json_value import JsonValue


@dataclass(frozen=True, slots=True)
class Call:
    """A call: `function` is dotted with imports resolved; arguments are null when not literal.

    `references` names, per argument, the functions or variables that stand there instead, also
    inside a list; `scope` is the function it stands in, `target` the name it is assigned to.
    """

    function: str
    arguments: Mapping[str, JsonValue]
    line: int
    end_line: int
    scope: str = ""
    target: str = ""
    references: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Decorator:
    """A decorator with its literal arguments (empty where it is not called)."""

    function: str
    arguments: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Function:
    """A function or method; `name` is qualified (``Class.method``).

    `endless` means that it holds a ``while True`` that nothing in it leaves.
    """

    name: str
    line: int
    end_line: int
    documentation: str = ""
    decorators: tuple[Decorator, ...] = ()
    endless: bool = False


@dataclass(frozen=True, slots=True)
class ClassDefinition:
    """A class with its resolved bases and the literals assigned in its body."""

    name: str
    line: int
    bases: tuple[str, ...]
    documentation: str = ""
    attributes: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Import:
    """A module or name that is imported, dotted; relative ones start with a dot."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Assignment:
    """A literal that is assigned to a dotted target, such as ``c.ServerApp.token``."""

    target: str
    value: JsonValue
    line: int


@dataclass(frozen=True, slots=True)
class Module:
    """What one module (or notebook) says."""

    imports: tuple[Import, ...] = ()
    calls: tuple[Call, ...] = ()
    functions: tuple[Function, ...] = ()
    classes: tuple[ClassDefinition, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    messages: tuple[Assignment, ...] = ()
    """Instruction messages, ``{"role": "system", "content": "…"}``; the target is the role."""
