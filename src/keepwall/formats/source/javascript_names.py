"""Follow names through JavaScript: which import a call goes to, and which literals names hold."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial

from tree_sitter import Node

from keepwall.formats.source.javascript_literals import (
    alternatives,
    core,
    literal,
    plain,
    string,
)
from keepwall.formats.source.javascript_modules import Modules
from keepwall.formats.source.javascript_scope import Binding, JavaScriptScope
from keepwall.formats.source.literals import NOT_LITERAL

_MAXIMUM_DOTTED = 200
_MAXIMUM_STEPS = 60
_MAXIMUM_DEPTH = 12
_MAXIMUM_FALLBACK = 200
_GLOBALS = frozenset(
    {"eval", "Function", "fetch", "process", "Deno", "Bun", "WebSocket", "XMLHttpRequest"}
    | {"importScripts", "WebAssembly", "EventSource"}
)
_WINDOWS = frozenset({"globalThis", "window", "global", "self"})
_PASSED_ON = frozenset(
    {"promisify", "__importDefault", "__importStar", "__toESM", "__toModule", "freeze"}
    | {"_interopRequireDefault", "_interopRequireWildcard", "_interop_require_default"}
    | {"_interop_require_wildcard", "interopDefault", "wrapOpenAI", "observeOpenAI"}
)
"""Functions that return what they are given, or the same with another interface."""
_NAMES = frozenset({"identifier", "shorthand_property_identifier", "type_identifier"})
_MEMBERS = frozenset({"member_expression", "subscript_expression"})
_CALLS = frozenset({"call_expression", "new_expression"})
_Resolved = tuple[str, bool]
_NOTHING: _Resolved = ("", False)


@dataclass(slots=True)
class Names:
    """Resolves the names of one file."""

    data: bytes
    modules: Modules
    _literals: dict[int, object] = field(default_factory=dict)

    def resolve(self, node: Node, scope: JavaScriptScope, depth: int = 0) -> _Resolved:
        """Return the dotted name of `node`, and whether it is what a call returned.

        A call counts as what it returns; the name is empty if it is not known.
        """
        parts: list[str] = []
        first, result, called = True, False, False
        for _ in range(_MAXIMUM_STEPS):
            node = core(node)
            if node.type in _NAMES:
                base, returned = self._named(plain(self.data, node), parts, scope, depth)
                return self._dotted(base, parts, called=called), returned if first else result
            if node.type in _MEMBERS:
                held, name = node.child_by_field_name("object"), self._member(node)
                if held is None:
                    return _NOTHING
                if held.type == "this" and name:
                    base, returned = self._bound(scope.owner().bindings.get(f"this.{name}"), depth)
                    return self._dotted(base, parts, called=called), returned if first else result
                parts += [name] if name else []
                node, called, first = held, False, False
            elif node.type in _CALLS:
                module, inner, passed = self._called(node, scope)
                if module or inner is None:
                    return self._dotted(module, parts, called=False), result
                node = inner
                if not passed:
                    result, called, first = result or first, True, False
            else:
                found = self._within(node)
                if found is None:
                    return _NOTHING
                node = found
        return _NOTHING

    def local(self, node: Node) -> str:
        """Return the name of something of this module, marked with a colon; methods as self."""
        node = core(node)
        if node.type in _NAMES:
            return f":{plain(self.data, node)}"
        held = node.child_by_field_name("object") if node.type in _MEMBERS else None
        if held is not None and (name := self._member(node)):
            if held.type == "this":
                return f":self.{name}"
            if held.type == "identifier":
                return f":{plain(self.data, held)}.{name}"
        return ""

    def value(self, node: Node, scope: JavaScriptScope) -> object:
        """Return the value of an expression, or `NOT_LITERAL`."""
        return literal(self.data, node, partial(self._looked_up, scope=scope))

    def fallback(self, node: Node, scope: JavaScriptScope, depth: int = 0) -> str:
        """Return the text that `node` most likely is, where no one sets another; else empty."""
        node = core(node)
        if depth > 4:  # noqa: PLR2004 - nobody nests more defaults
            return ""
        if node.type in _NAMES or node.type in _MEMBERS:
            bound = self._binding(node, scope)
            if bound is None or bound.path:
                return ""
            for value in filter(None, (bound.node, bound.fallback)):
                if found := self.fallback(value, bound.scope, depth + 1):
                    return found
        if node.type in ("string", "template_string", "binary_expression"):
            found_value = self.value(node, scope)
            if isinstance(found_value, str):
                return found_value[:_MAXIMUM_FALLBACK]
        for each in alternatives(self.data, node):
            if found := self.fallback(each, scope, depth + 1):
                return found
        return ""

    # -- one step --------------------------------------------------------------------------

    def _named(self, name: str, parts: list[str], scope: JavaScriptScope, depth: int) -> _Resolved:
        bound = scope.find(name)
        if bound is not None:
            return self._bound(bound, depth)
        if name in _WINDOWS and parts:
            name = parts.pop()
        return (name, False) if name in _GLOBALS else _NOTHING

    def _bound(self, binding: Binding | None, depth: int) -> _Resolved:
        """Return what a binding stands for, evaluated once."""
        if binding is None or depth > _MAXIMUM_DEPTH:
            return _NOTHING
        if binding.resolved is None:
            binding.resolved = _NOTHING  # a circle ends here
            binding.resolved = self._evaluated(binding, depth)
        return binding.resolved

    def _evaluated(self, binding: Binding, depth: int) -> _Resolved:
        if binding.dotted:
            return binding.dotted, False
        if binding.node is not None:
            node, path = binding.node, list(binding.path)
            if core(node).type == "this" and path:
                found = binding.scope.owner().bindings.get(f"this.{path.pop(0)}")
                base, result = self._bound(found, depth + 1)
            else:
                base, result = self.resolve(node, binding.scope, depth + 1)
            if base:
                return self._dotted(base, path[::-1], called=False), result and not path
        if binding.annotation is not None:
            return self._type(binding.annotation, binding.scope, depth), False
        return _NOTHING

    def _type(self, node: Node, scope: JavaScriptScope, depth: int) -> str:
        """Return the dotted name of a type of TypeScript."""
        for _ in range(6):
            if node.type in ("type_identifier", "nested_type_identifier"):
                name, *parts = plain(self.data, node).split(".")[:6]
                base, _ = self._bound(scope.find(name), depth + 1)
                return self._dotted(base, parts[::-1], called=False)
            inside = node.named_children[:1]
            if not inside or node.type not in ("type_annotation", "generic_type", "union_type"):
                return ""
            node = inside[0]
        return ""

    def _called(self, node: Node, scope: JavaScriptScope) -> tuple[str, Node | None, bool]:
        """Return the module that a call loads, else what is called, and if that is returned."""
        called = node.child_by_field_name("function") or node.child_by_field_name("constructor")
        given = node.child_by_field_name("arguments")
        if called is None:
            return "", None, False
        name = ""
        if called.type in ("import", "identifier"):
            name = plain(self.data, called)
        elif called.type in _MEMBERS:
            name = self._member(called)
        first = given.named_children[:1] if given is not None and given.type == "arguments" else []
        if name in ("require", "import") and called.type != "member_expression":
            text = self.value(first[0], scope) if first else None
            return (
                (self.modules.add(text), None, False)
                if isinstance(text, str)
                else ("", None, False)
            )
        if name in _PASSED_ON and first:
            return "", first[0], True
        return "", called, False

    def _within(self, node: Node) -> Node | None:
        """Return the expression whose value an operation has."""
        if node.type in ("sequence_expression", "assignment_expression"):
            return node.child_by_field_name("right") or (
                node.named_children[-1] if node.named_children else None
            )
        return next(iter(alternatives(self.data, node)), None)

    def _member(self, node: Node) -> str:
        name = node.child_by_field_name("property") or node.child_by_field_name("index")
        if name is None:
            return ""
        if node.type == "subscript_expression":
            return string(self.data, name) if name.type == "string" else ""
        return plain(self.data, name)

    def _dotted(self, base: str, parts: list[str], *, called: bool) -> str:
        """Return `base` with the members that follow, the nearest last in `parts`."""
        if not base:
            return ""
        if called and base in self.modules.known:
            base = self.modules.default(base)
        for name in reversed(parts):
            base = self.modules.member(base, name)
        return base if len(base) <= _MAXIMUM_DOTTED else ""

    # -- literals --------------------------------------------------------------------------

    def _binding(self, node: Node, scope: JavaScriptScope) -> Binding | None:
        if node.type in _NAMES:
            return scope.find(plain(self.data, node))
        held = node.child_by_field_name("object")
        if held is not None and held.type == "this":
            return scope.owner().bindings.get(f"this.{self._member(node)}")
        return None

    def _looked_up(self, node: Node, scope: JavaScriptScope) -> object:
        """Return the literal of a name, of ``this.name`` or of a member of a literal table."""
        parts: list[str] = []
        while (bound := self._binding(node, scope)) is None:
            held = node.child_by_field_name("object") if node.type in _MEMBERS else None
            if held is None or len(parts) > 4:  # noqa: PLR2004 - no table is deeper
                return NOT_LITERAL
            parts.append(self._member(node))
            node = core(held)
        value = self._held(bound)
        for name in reversed(parts):
            value = value.get(name, NOT_LITERAL) if isinstance(value, dict) else NOT_LITERAL
        return NOT_LITERAL if parts and value is None else value

    def _held(self, binding: Binding) -> object:
        """Return the literal that a binding holds, evaluated once."""
        if binding.node is None or binding.path:
            return NOT_LITERAL
        key = id(binding)
        if key not in self._literals:
            self._literals[key] = NOT_LITERAL  # a circle ends here
            node = binding.node
            passed = self._called(node, binding.scope) if node.type == "call_expression" else None
            if passed is not None and passed[2] and passed[1] is not None:
                node = passed[1]
            self._literals[key] = self.value(node, binding.scope)
        return self._literals[key]
