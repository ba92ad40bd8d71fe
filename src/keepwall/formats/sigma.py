"""Sigma rules: text to a checked document that holds pySigma's condition tree (Sigma 2.1).

pySigma does the parsing. What is added here: bounds for rules that others wrote, and the line of
every mistake, which pySigma does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, cast
from uuid import UUID

import re2  # type: ignore[import-untyped] # it has neither types nor stubs
from sigma.conditions import ConditionOR, ConditionType
from sigma.exceptions import SigmaError, SigmaRegularExpressionError
from sigma.policy import SigmaPolicy
from sigma.policy.regex_engine import RegexEngine, RegexPattern
from sigma.rule import SigmaDetectionItem, SigmaRule
from sigma.types import SigmaRegularExpression, SigmaRegularExpressionFlag

from keepwall.formats.safe_yaml import YamlLimits, YamlMap, load_yaml
from keepwall.vocabulary.errors import FormatError, RuleError
from keepwall.vocabulary.surface import Severity

MAX_BYTES: Final = 65_536
MAX_CONDITION: Final = 500
MAX_NESTING: Final = 12
MAX_PATTERN: Final = 500
MAX_PATTERNS: Final = 50
MODIFIERS: Final = frozenset(
    {"all", "cased", "cidr", "contains", "endswith", "exists", "neq", "startswith"}
    | {"re", "i", "ignorecase", "m", "multiline", "s", "dotall"}
    | {"gt", "gte", "lt", "lte"}
)
"""The modifiers that can be evaluated in process; a rule with another one does not load."""

_LIMITS = YamlLimits(nodes=2_000, depth=12, documents=1)
_PATTERN_MEMORY = 1 << 20
_LEVELS = {"informational": Severity.INFO}
_LETTERS = ((re.IGNORECASE, "i"), (re.MULTILINE, "m"), (re.DOTALL, "s"))
_BAD_INPUT = (SigmaError, TypeError, AttributeError, KeyError, ValueError)
"""What pySigma raises for values of a wrong type, besides its own errors."""


class LinearRegex(RegexEngine):
    """RE2 for pySigma: linear in time, bounded in memory, and silent about patterns it refuses."""

    def compile(self, pattern: str, flags: int = 0) -> RegexPattern:
        """Return `pattern` with Python's IGNORECASE, MULTILINE and DOTALL; raises `error`."""
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _PATTERN_MEMORY
        letters = "".join(letter for flag, letter in _LETTERS if flags & flag)
        return cast(
            "RegexPattern", re2.compile(f"(?{letters}){pattern}" if letters else pattern, options)
        )

    @property
    def error(self) -> type[Exception]:
        """The exception of a pattern that RE2 refuses."""
        return cast("type[Exception]", re2.error)


POLICY: Final = SigmaPolicy(regex_engine=LinearRegex())


@dataclass(frozen=True, slots=True)
class SigmaDocument:
    """One Sigma rule. `condition` is pySigma's tree; `attributes` is its ``keepwall`` mapping."""

    id: UUID
    title: str
    description: str
    level: Severity
    tags: tuple[str, ...]
    category: str
    product: str
    attributes: Mapping[str, object]
    condition: ConditionType
    origin: str
    lines: Mapping[str, int] = field(compare=False)

    def error(self, message: str, *, at: str = "", hint: str = "") -> RuleError:
        """Return an error that points at a key, or at the first use of a field."""
        return RuleError(message, place=f"{self.origin}:{self.lines.get(at, 1)}", hint=hint)


def read_sigma(data: bytes, origin: str) -> SigmaDocument:
    """Return the Sigma rule in `data`; `origin` is its path, for messages.

    Raises:
        RuleError: it is no Sigma rule, has no id or level, uses what cannot be evaluated in
            process (correlations, keywords, other modifiers), or goes over a bound; with
            ``path:line``.
    """
    written = _mapping(data, origin)
    detection = written.get("detection")
    if not isinstance(detection, YamlMap):
        raise RuleError("a mapping `detection` is missing", place=f"{origin}:{written.line}")
    lines = {**written.lines, **_fields(detection, origin)}
    lines["condition"] = detection.line_of("condition")
    _bounded_conditions(detection, origin)
    try:
        rule = SigmaRule.from_dict(written, collect_errors=True, policy=POLICY)
    except _BAD_INPUT as error:
        raise RuleError(f"not a Sigma rule: {error}", place=f"{origin}:1") from error
    for problem in rule.errors:
        key = type(problem).__name__.removeprefix("Sigma").removesuffix("Error").lower()
        key = {"identifier": "id", "tag": "tags", "value": "tags"}.get(key, key)
        raise RuleError(str(problem), place=f"{origin}:{lines.get(key, 1)}")
    if not isinstance(rule.id, UUID) or rule.level is None:
        missing = "id (a UUID)" if rule.level else "level"
        raise RuleError(f"{missing} missing", place=f"{origin}:{written.line}")
    if rule.logsource.service or rule.logsource.custom_attributes:
        raise RuleError(
            "a log source is told by category and product only",
            place=f"{origin}:{lines['logsource']}",
        )
    attributes = rule.custom_attributes.get("keepwall")
    return SigmaDocument(
        id=rule.id,
        title=rule.title,
        description=(rule.description or "").strip(),
        level=_LEVELS.get(str(rule.level)) or Severity(str(rule.level)),
        tags=tuple(str(tag) for tag in rule.tags),
        category=rule.logsource.category or "",
        product=rule.logsource.product or "",
        attributes=attributes if isinstance(attributes, YamlMap) else {},
        condition=_condition(rule, f"{origin}:{lines['condition']}"),
        origin=origin,
        lines=lines,
    )


def _mapping(data: bytes, origin: str) -> YamlMap:
    if len(data) > MAX_BYTES:
        raise RuleError(f"a rule has at most {MAX_BYTES} bytes", place=f"{origin}:1")
    try:
        documents = load_yaml(data, _LIMITS)
    except FormatError as error:
        place = f"{origin}:{error.place.removeprefix('line ') or 1}"
        raise RuleError(error.message.removeprefix(f"{error.place}: "), place=place) from error
    if not documents or not isinstance(documents[0], YamlMap):
        raise RuleError("a Sigma rule is a mapping", place=f"{origin}:1")
    written = documents[0]
    for key in ("correlation", "filter", "action"):
        if key in written:
            raise RuleError(
                f"`{key}` is not evaluated here: a detection looks at one event",
                place=f"{origin}:{written.line_of(key)}",
            )
    for part in _maps(written):
        for key, line in part.repeated:
            raise RuleError(f"{key!r} is there twice", place=f"{origin}:{line}")
    return written


def _maps(value: object) -> Iterator[YamlMap]:
    if isinstance(value, YamlMap):
        yield value
    children = value.values() if isinstance(value, dict) else value
    if isinstance(value, dict | list):
        for child in cast("list[object]", children):
            yield from _maps(child)


def _fields(detection: YamlMap, origin: str) -> dict[str, int]:
    """Return the first line of each field, after every condition on a field was parsed alone."""
    lines: dict[str, int] = {}
    patterns = 0
    for part in _maps(detection):
        if part is detection:
            continue
        for key, value in part.items():
            place = f"{origin}:{part.line_of(key)}"
            name, *modifiers = key.split("|")
            if unknown := sorted(set(modifiers) - MODIFIERS):
                raise RuleError(
                    f"the modifier {unknown[0]!r} is not evaluated here",
                    place=place,
                    hint=f"known: {', '.join(sorted(MODIFIERS))}",
                )
            values = value if isinstance(value, list) else [value]
            if not values:
                raise RuleError("a list without values", place=place)
            if "re" in modifiers:
                if not all(isinstance(each, str) for each in values):
                    raise RuleError("a pattern is a text", place=place)
                patterns += len(values)
                if patterns > MAX_PATTERNS or any(len(str(each)) > MAX_PATTERN for each in values):
                    raise RuleError(
                        f"at most {MAX_PATTERNS} patterns of {MAX_PATTERN} characters", place=place
                    )
            try:
                SigmaDetectionItem.from_mapping(key, cast("Any", value), policy=POLICY)
            except _BAD_INPUT as error:
                raise RuleError(str(error), place=place) from error
            lines.setdefault(f"field {name}", part.line_of(key))
    return lines


def _bounded_conditions(detection: YamlMap, origin: str) -> None:
    place = f"{origin}:{detection.line_of('condition')}"
    written = detection.get("condition")
    conditions = written if isinstance(written, list) else [written]
    if not all(isinstance(text, str) for text in conditions):
        raise RuleError("`condition` is a text", place=place)
    text = " or ".join(map(str, conditions))
    if len(text) > MAX_CONDITION or text.count("(") > MAX_NESTING:
        raise RuleError(
            f"a condition has at most {MAX_CONDITION} characters and {MAX_NESTING} parentheses",
            place=place,
        )
    if "timeframe" in detection:
        raise RuleError(
            "`timeframe` is not evaluated here: a detection looks at one event",
            place=f"{origin}:{detection.line_of('timeframe')}",
        )


def _condition(rule: SigmaRule, place: str) -> ConditionType:
    """Return the parsed condition; a list of conditions holds when one of them does."""
    try:
        trees = [condition.parsed for condition in rule.detection.parsed_condition]
    except _BAD_INPUT as error:
        raise RuleError(f"the condition does not parse: {error}", place=place) from error
    found = [tree for tree in trees if tree is not None]
    if not found:
        raise RuleError("the condition is empty", place=place)
    return found[0] if len(found) == 1 else ConditionOR(cast("Any", found))


def compile_pattern(text: str, flags: Iterable[SigmaRegularExpressionFlag] = ()) -> RegexPattern:
    """Return `text` compiled by RE2; raises SigmaError if it refuses it."""
    bits = sum(SigmaRegularExpression.sigma_to_python_flags[flag] for flag in flags)
    try:
        return POLICY.regex_engine.compile(text, bits)
    except POLICY.regex_engine.error as error:
        raise SigmaRegularExpressionError(f"RE2 refuses this pattern: {error}") from error
