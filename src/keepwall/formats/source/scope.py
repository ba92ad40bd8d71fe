"""Scopes: which name stands for what, in a function, a class or a module."""

from __future__ import annotations

from dataclasses import dataclass, field

from keepwall.formats.source.literals import NOT_LITERAL

LOCAL = ""
"""Binding of a name whose value is not known: it hides the same name further out."""


@dataclass(slots=True)
class Scope:
    """Names that are bound in one function, class or module."""

    name: str = ""
    parent: Scope | None = None
    is_class: bool = False
    names: dict[str, str] = field(default_factory=dict)
    literals: dict[str, object] = field(default_factory=dict)
    fallbacks: dict[str, str] = field(default_factory=dict)
    """Texts that names have where no one sets another."""
    results: set[str] = field(default_factory=set)
    """Names that hold what a call returned: the binding names the call, not the value."""

    def binding(self, name: str) -> str | None:
        """Return the dotted name bound to `name`; None where nothing is."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names and (scope is self or not scope.is_class or "." in name):
                return scope.names[name]
            scope = scope.parent
        return None

    def is_result(self, name: str) -> bool:
        """Return whether `name` holds what a call returned."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.names and (scope is self or not scope.is_class or "." in name):
                return name in scope.results
            scope = scope.parent
        return False

    def value(self, name: str) -> object:
        """Return the literal that `name` was assigned."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.literals:
                return scope.literals[name]
            if name in scope.names:
                return NOT_LITERAL
            scope = scope.parent
        return NOT_LITERAL

    def fallback(self, name: str) -> str:
        """Return the text that `name` falls back on, or an empty text."""
        scope: Scope | None = self
        while scope is not None:
            if name in scope.fallbacks:
                return scope.fallbacks[name]
            if name in scope.names:
                return ""
            scope = scope.parent
        return ""

    def owner(self) -> Scope | None:
        """Return the class whose method this scope belongs to."""
        scope: Scope | None = self
        while scope is not None and not scope.is_class:
            scope = scope.parent
        return scope

    def within(self, name: str) -> str:
        """Return `name` qualified with this scope."""
        return f"{self.name}.{name}" if self.name else name
