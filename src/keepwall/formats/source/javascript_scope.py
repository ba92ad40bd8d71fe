"""Scopes of JavaScript: what names are bound to, evaluated when somebody asks."""

from __future__ import annotations

from dataclasses import dataclass, field

from tree_sitter import Node


@dataclass(slots=True)
class Binding:
    """What a name is bound to: something imported (`dotted`), or the value of an expression.

    `path` leads from the value to the name (``const {a} = value``), `annotation` is the type of a
    parameter or field, `fallback` its default. Without any of these it is a local name of which
    nothing is known, and which hides the same name further out.
    """

    scope: JavaScriptScope
    dotted: str = ""
    node: Node | None = None
    path: tuple[str, ...] = ()
    annotation: Node | None = None
    fallback: Node | None = None
    resolved: tuple[str, bool] | None = None
    """The dotted name with whether a call returned it, once it is known."""

    @property
    def says_nothing(self) -> bool:
        """Whether nothing was given to the name yet, or null."""
        return not self.dotted and (self.node is None or self.node.type in ("null", "undefined"))


@dataclass(slots=True)
class JavaScriptScope:
    """Names that are bound in one function, class or module; blocks are not told apart."""

    name: str = ""
    parent: JavaScriptScope | None = None
    is_class: bool = False
    bindings: dict[str, Binding] = field(default_factory=dict)
    taken: dict[str, int] = field(default_factory=dict)
    end: int = 0
    """Where it ends in the file, in bytes."""

    def find(self, name: str) -> Binding | None:
        """Return the binding of `name`, here or further out; None where there is none."""
        scope: JavaScriptScope | None = self
        while scope is not None:
            if (found := scope.bindings.get(name)) is not None:
                return found
            scope = scope.parent
        return None

    def bind(self, name: str, binding: Binding) -> None:
        """Bind `name`; the first value that says something stays."""
        known = self.bindings.get(name)
        if known is None or known.says_nothing:
            if known is not None and binding.annotation is None:
                binding.annotation = known.annotation
            self.bindings[name] = binding

    def owner(self) -> JavaScriptScope:
        """Return the class around this scope, else the module: what ``this`` belongs to."""
        scope = self
        while not scope.is_class and scope.parent is not None:
            scope = scope.parent
        return scope

    def within(self, name: str) -> str:
        """Return `name` qualified with this scope; a second one of that name is told apart."""
        count = self.taken[name] = self.taken.get(name, 0) + 1
        unique = name if count == 1 else f"{name}~{count}"
        return f"{self.name}.{unique}" if self.name else unique
