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
    defaults: Mapping[str, str] = field(default_factory=dict)
    """Texts that arguments without a literal fall back on, as in ``getenv("MODEL", "gpt-4o")``."""


@dataclass(frozen=True, slots=True)
class Text:
    """A text without spaces, and the name that it is given to.

    `key` is dotted where the text stands in a table (``MODELS.fast``) and empty where nothing
    names it; `scope` is the function around it.
    """

    value: str
    key: str
    line: int
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Template:
    """A long text that instructs, cut at 2,000 characters; `size` is its whole length.

    What an f-string fills in stands as ``{}``.
    """

    text: str
    key: str
    line: int
    scope: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that is read or set; `target` is what its value is given to."""

    name: str
    line: int
    scope: str = ""
    target: str = ""


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
class Offer:
    """A table that describes a tool to a model: its name, description and schema of its input.

    `function` is what answers for it, where that is told (a case of a ``switch``).
    """

    name: str
    description: str
    line: int
    scope: str = ""
    function: str = ""


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
    texts: tuple[Text, ...] = ()
    templates: tuple[Template, ...] = ()
    variables: tuple[Variable, ...] = ()
    offers: tuple[Offer, ...] = ()
