"""What an argument stands for in a module: the model or variable behind a name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property

from keepwall.discover.catalogue import Catalogue
from keepwall.discover.code_references import called_model
from keepwall.discover.model_names import ModelName
from keepwall.formats.source.model import Call, Module
from keepwall.vocabulary.json_value import JsonValue

_MODEL_KEYS = ("model", "model_name", "model_id")
_MAXIMUM_DEPTH = 4


@dataclass(frozen=True)
class Links:
    """Follows names from one call to others of the same module."""

    module: Module
    known: Catalogue

    @cached_property
    def _by_function(self) -> dict[str, list[Call]]:
        found: dict[str, list[Call]] = {}
        for call in self.module.calls:
            found.setdefault(call.function, []).append(call)
        return found

    def models(self, call: Call, arguments: Iterable[str]) -> Iterator[ModelName]:
        """Yield the models behind `arguments` of `call`: literals, and what made them."""
        own = called_model(call, self.known)
        if own is not None and own.model.provider not in ("", "local"):
            yield own.model
        for name in arguments:
            for text in _texts(call.arguments.get(name) or call.defaults.get(name), name.isdigit()):
                model = self.known.models.recognise(text, "model")
                if model is not None:
                    yield model
            for made in self.made(call, name):
                found = called_model(made, self.known)
                if found is not None and found.model.provider not in ("", "local"):
                    yield found.model

    def made(self, call: Call, name: str) -> Iterator[Call]:
        """Yield the calls that made what argument `name` of `call` holds, the nearest above."""
        for function in call.references.get(name, ()):
            near = self._nearest(call, self._by_function.get(function, ()))
            if near is not None:
                yield near

    def _nearest(self, call: Call, others: Iterable[Call]) -> Call | None:
        above = [each for each in others if each.line <= call.end_line and each is not call]
        ranked: Callable[[Call], tuple[bool, int]] = lambda each: (  # noqa: E731 - a key
            each.scope == call.scope,
            each.line,
        )
        return max(above, key=ranked, default=None)

    def variables(self, call: Call, arguments: Iterable[str]) -> list[str]:
        """Return the environment variables that `call`, or what made its arguments, reads."""
        spans = [call, *(made for name in arguments for made in self.made(call, name))]
        names = {name for each in spans for refs in each.references.values() for name in refs}
        return sorted(
            {
                each.name
                for each in self.module.variables
                if any(span.line <= each.line <= span.end_line for span in spans)
                or (each.target and each.target in names)
            }
        )


def _texts(value: JsonValue, plain: bool, depth: int = 0) -> Iterator[str]:  # noqa: FBT001 - of a literal
    """Yield the names of models in a literal: the text, or what a table says is the model."""
    if isinstance(value, str):
        if depth == 0 or plain:
            yield value
    elif isinstance(value, dict) and depth < _MAXIMUM_DEPTH:
        for key, each in value.items():
            yield from _texts(each, key in _MODEL_KEYS, depth + 1)
    elif isinstance(value, list) and depth < _MAXIMUM_DEPTH:
        for each in value[:20]:
            yield from _texts(each, False, depth + 1)  # noqa: FBT003 - names no model itself
