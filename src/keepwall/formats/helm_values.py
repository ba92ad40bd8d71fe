"""Values of templates: what counts as empty, how they print, and the bounds of an evaluation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import yaml

from keepwall.formats.safe_yaml import YamlValue

MARK = "\ue000"
"""Stands in rendered text for a value that cannot be known."""


class UnknownValue:
    """A value that cannot be known before the chart is installed, such as a random password."""


UNKNOWN = UnknownValue()
_MAXIMUM_NODES = 50_000
_MAXIMUM_DEPTH = 64


class PartialValues(dict[str, YamlValue]):
    """Values of another chart that is not in the tree: what is missing here may be set there."""


class UnevaluatedError(Exception):
    """A part of a template cannot be evaluated; the message says why."""


class ExhaustedError(Exception):
    """A template asks for more work than is done for it."""


@dataclass(slots=True)
class Budget:
    """What one chart may cost: steps (nodes, calls and items) and characters."""

    steps: int = 200_000
    characters: int = 4 << 20

    def spend(self, steps: int = 1, characters: int = 0) -> None:
        """Take from the budget.

        Raises:
            ExhaustedError: nothing is left.
        """
        self.steps -= steps
        self.characters -= characters
        if self.steps < 0 or self.characters < 0:
            raise ExhaustedError("needs more work than is done for one chart")


@dataclass(frozen=True, slots=True)
class Method:
    """A function that hangs on an object, such as ``.Files.Get``."""

    call: Callable[..., YamlValue]


@dataclass(slots=True)
class Problems:
    """Places of a template that were not evaluated, with the reason, in order."""

    found: list[tuple[int, str]] = field(default_factory=list)

    def note(self, line: int, reason: str) -> None:
        """Remember a place; a template that fails everywhere is told a few times."""
        if len(self.found) < 100 and (line, reason) not in self.found:  # noqa: PLR2004 - enough to tell
            self.found.append((line, reason))


def truth(value: YamlValue) -> bool:
    """Return whether Go counts `value` as true.

    Raises:
        UnevaluatedError: it is not known.
    """
    if isinstance(value, UnknownValue):
        raise UnevaluatedError("depends on a value that is known only when it is installed")
    return isinstance(value, Method) or bool(value)


def printed(value: YamlValue) -> str:
    """Return `value` as Go prints it; nothing for nil, as Helm does."""
    if isinstance(value, UnknownValue | Method):
        return MARK
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)  # noqa: PLR2004 - as Go
    if isinstance(value, list):
        return "[" + " ".join(map(printed, value)) + "]"
    if isinstance(value, dict):
        pairs = (f"{key}:{printed(each)}" for key, each in sorted(value.items()))
        return "map[" + " ".join(pairs) + "]"
    return str(value)


def weigh(value: YamlValue, budget: Budget) -> None:
    """Refuse a value that is large or deep when what it shares is counted each time, or circular.

    Raises:
        UnevaluatedError: it is one of these.
        ExhaustedError: the budget does not reach.
    """
    level, count, depth = [value], 0, 0
    while level:
        inner: list[YamlValue] = []
        for each in level:
            if isinstance(each, dict):
                inner += each.values()
            elif isinstance(each, list):
                inner += each
            elif isinstance(each, str):
                budget.spend(0, len(each) >> 3)  # what a function reads costs less than new text
            if count + len(inner) > _MAXIMUM_NODES:
                budget.spend(count + len(inner))
                raise UnevaluatedError("handles too large a value")
        count, depth, level = count + len(level), depth + 1, inner
        if depth > _MAXIMUM_DEPTH:
            raise UnevaluatedError("handles a value that nests too deeply")
    budget.spend(count)


def plain_value(value: YamlValue, budget: Budget) -> YamlValue:
    """Return a copy in which mappings and lists are plain ones, and unknown values are marks."""
    budget.spend()
    if isinstance(value, dict):
        return {str(key): plain_value(each, budget) for key, each in value.items()}
    if isinstance(value, list):
        return [plain_value(each, budget) for each in value]
    if isinstance(value, UnknownValue | Method):
        return MARK
    return value


def yaml_text(value: YamlValue, budget: Budget) -> str:
    """Return `value` as YAML in block style, keys sorted, without a final newline."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text = yaml.dump(
        plain_value(value, budget),
        Dumper=dumper,
        default_flow_style=False,
        allow_unicode=True,
        width=100_000,
    )
    budget.spend(characters=len(text))
    return str(text).removesuffix("\n...\n").rstrip("\n")
