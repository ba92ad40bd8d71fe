"""The functions of Helm's templates (Go's own, Sprig's and Helm's) that need no cluster."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import re2  # type: ignore[import-untyped]  # ships no types

from keepwall.formats.helm_lists import LISTS
from keepwall.formats.helm_values import (
    UNKNOWN,
    UnevaluatedError,
    printed,
    truth,
)
from keepwall.formats.safe_json import load_json
from keepwall.formats.safe_yaml import YamlLimits, YamlValue, load_yaml
from keepwall.vocabulary.errors import FormatError

Function = Callable[..., YamlValue]
_MAXIMUM_TEXT = 1 << 20
_VERB = re.compile(r"%([-+#0 ]{0,3})(\d{0,3})(?:\.(\d{1,3}))?([vsdqtfgxXce%])")
_VERSION = re.compile(r"v?(\d{1,9})(?:\.(\d{1,9}|x|\*))?(?:\.(\d{1,9}|x|\*))?(-[\w.-]{1,100})?")
_COMPARISON = re.compile(r"\s*(>=|<=|!=|=|>|<|~|\^)?\s*(\S+)\s*")


def number(value: YamlValue) -> int | float:
    """Return a value as a number, 0 where it is none, as Sprig does."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    match = re.match(r"\s*([-+]?\d{1,18}(?:\.\d{1,18})?)\s*\Z", str(value))
    if match is None:
        return 0
    return float(match[1]) if "." in match[1] else int(match[1])


def integer(value: YamlValue) -> int:
    """Return a value as a whole number."""
    return int(number(value))


def _printf(template: YamlValue, *arguments: YamlValue) -> str:
    rest = iter(arguments)

    def verb(match: re.Match[str]) -> str:
        if match[4] == "%":
            return "%"
        value = next(rest, "")
        text = _formatted(match[4], value, match[3])
        width = int(match[2] or 0)
        if "-" in match[1]:
            return text.ljust(width)
        return text.zfill(width) if "0" in match[1] else text.rjust(width)

    return _VERB.sub(verb, printed(template))


def _formatted(verb: str, value: YamlValue, precision: str) -> str:
    if verb == "q":
        return json.dumps(printed(value), ensure_ascii=False)
    if verb == "d":
        return printed(value) if value is UNKNOWN else str(integer(value))
    if verb in "fge":
        return f"{number(value):.{int(precision or 6)}{verb}}"
    if verb in "xX" and isinstance(value, int):
        return format(value, verb)
    return printed(value)


def _quoted(*values: YamlValue) -> str:
    return " ".join(
        json.dumps(printed(each), ensure_ascii=False) for each in values if each is not None
    )


def _indented(count: YamlValue, text: YamlValue) -> str:
    space = " " * min(integer(count), 200)
    return space + printed(text).replace("\n", "\n" + space)


def _from_yaml(text: YamlValue) -> YamlValue:
    try:
        documents = load_yaml(printed(text).encode(), YamlLimits(nodes=20_000))
    except FormatError as error:
        raise UnevaluatedError(f"holds no YAML: {error.message}") from error
    return documents[0] if documents else {}


def _from_json(text: YamlValue) -> YamlValue:
    try:
        return load_json(printed(text).encode(), nodes=20_000)
    except FormatError as error:
        raise UnevaluatedError(f"holds no JSON: {error.message}") from error


def _json(value: YamlValue) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"), default=printed)


def _equal(first: YamlValue, *others: YamlValue) -> bool:
    if any(each is UNKNOWN for each in (first, *others)):
        raise UnevaluatedError("compares a value that is known only when it is installed")
    return any(
        first == each and isinstance(first, bool) is isinstance(each, bool) for each in others
    )


def _less(first: YamlValue, second: YamlValue) -> bool:
    if isinstance(first, str) and isinstance(second, str):
        return first < second
    return number(first) < number(second)


def _kind(value: YamlValue) -> str:
    if value is None:
        return "invalid"
    names = {bool: "bool", str: "string", int: "int64", float: "float64", list: "slice"}
    return "map" if isinstance(value, dict) else names.get(type(value), "struct")


def _type(value: YamlValue) -> str:
    names = {"map": "map[string]interface {}", "slice": "[]interface {}", "invalid": "<nil>"}
    return names.get(_kind(value), _kind(value))


def _is_kind(kind: YamlValue, value: YamlValue) -> bool:
    found = _kind(list(value) if isinstance(value, list) else value)
    return found == kind or (kind in ("int", "float64", "int64") and found in ("int64", "float64"))


def _default(*values: YamlValue) -> YamlValue:
    fallback, given = values[0], values[1] if len(values) > 1 else None
    return given if given is UNKNOWN or truth(given) else fallback


def _coalesce(*values: YamlValue) -> YamlValue:
    return next((each for each in values if each is UNKNOWN or truth(each)), None)


def _replace(old: YamlValue, new: YamlValue, text: YamlValue) -> str:
    found, by = printed(text), printed(new)
    if len(found) * max(len(by), 1) > _MAXIMUM_TEXT << 2:
        raise UnevaluatedError("makes too long a text")
    return found.replace(printed(old), by)


def _repeat(count: YamlValue, text: YamlValue) -> str:
    return printed(text) * min(integer(count), _MAXIMUM_TEXT // max(len(printed(text)), 1))


def _regex(pattern: YamlValue) -> Any:
    try:
        return re2.compile(printed(pattern)[:1_000])
    except re2.error as error:
        raise UnevaluatedError("holds an expression that is none") from error


def _version(text: str) -> tuple[int, int, int]:
    match = _VERSION.match(text.strip())
    if match is None:
        raise UnevaluatedError(f"{text[:40]!r} is no version")
    return int(match[1]), *(
        int(each) if each and each.isdigit() else 0 for each in match.group(2, 3)
    )  # type: ignore[return-value]


def _satisfies(constraint: YamlValue, version: YamlValue) -> bool:
    have = _version(printed(version))
    return any(
        all(
            _compared(each[1], each[2], have)
            for each in _COMPARISON.finditer(part.replace(",", " "))
        )
        for part in printed(constraint).split("||")[:20]
    )


def _compared(sign: str | None, text: str, have: tuple[int, int, int]) -> bool:
    want = _version(text)
    if sign == "^":
        return have >= want and have[0] == want[0]
    if sign == "~":
        return have >= want and have[:2] == want[:2]
    tests: Mapping[str, bool] = {
        ">=": have >= want,
        "<=": have <= want,
        ">": have > want,
        "<": have < want,
        "!=": have != want,
    }
    return tests.get(sign or "=", have == want)


def _base64_decoded(text: YamlValue) -> YamlValue:
    try:
        return base64.b64decode(printed(text), validate=True).decode("utf-8", "replace")
    except ValueError:
        return UNKNOWN


def _divided(first: YamlValue, second: YamlValue) -> int:
    if integer(second) == 0:
        raise UnevaluatedError("divides by zero")
    return int(integer(first) / integer(second))


def _remainder(first: YamlValue, second: YamlValue) -> int:
    if integer(second) == 0:
        raise UnevaluatedError("divides by zero")
    return integer(first) % integer(second)


def _text(change: Callable[[str], str]) -> Function:
    return lambda value: UNKNOWN if value is UNKNOWN else change(printed(value))


def _words(text: str, mark: str) -> str:
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", mark, text)
    return re.sub(r"[\s_-]+", mark, parted).lower()


_NEVER_KNOWN = [
    "randAlphaNum",
    "randAlpha",
    "randNumeric",
    "randAscii",
    "randBytes",
    "randInt",
    "uuidv4",
    "genCA",
    "genSelfSignedCert",
    "genSignedCert",
    "genPrivateKey",
    "genCAWithKey",
    "genSelfSignedCertWithKey",
    "genSignedCertWithKey",
    "derivePassword",
    "htpasswd",
    "bcrypt",
    "now",
    "date",
    "dateInZone",
    "dateModify",
    "ago",
    "unixEpoch",
    "getHostByName",
    "buildCustomCert",
    "encryptAES",
    "decryptAES",
    "shuffle",
    "toToml",
]

FUNCTIONS: Mapping[str, Function] = {
    **{name: lambda *_: UNKNOWN for name in _NEVER_KNOWN},
    **LISTS,
    "default": _default,
    "coalesce": _coalesce,
    "ternary": lambda yes, no, test: yes if truth(test) else no,
    "empty": lambda value: not truth(value),
    "not": lambda value: not truth(value),
    "eq": _equal,
    "ne": lambda first, second: not _equal(first, second),
    "lt": _less,
    "gt": lambda first, second: _less(second, first),
    "le": lambda first, second: not _less(second, first),
    "ge": lambda first, second: not _less(first, second),
    "quote": _quoted,
    "squote": lambda *values: " ".join(f"'{printed(each)}'" for each in values if each is not None),
    "printf": _printf,
    "print": lambda *values: "".join(map(printed, values)),
    "println": lambda *values: " ".join(map(printed, values)) + "\n",
    "cat": lambda *values: " ".join(map(printed, values)),
    "indent": _indented,
    "nindent": lambda count, text: "\n" + _indented(count, text),
    "toJson": _json,
    "toRawJson": _json,
    "toPrettyJson": lambda value: json.dumps(value, sort_keys=True, indent=2, default=printed),
    "mustToJson": _json,
    "fromYaml": _from_yaml,
    "fromYamlArray": _from_yaml,
    "fromJson": _from_json,
    "mustFromJson": _from_json,
    "toString": _text(str),
    "trim": _text(str.strip),
    "upper": _text(str.upper),
    "lower": _text(str.lower),
    "title": _text(str.title),
    "untitle": _text(lambda text: text[:1].lower() + text[1:]),
    "nospace": _text(lambda text: "".join(text.split())),
    "snakecase": _text(lambda text: _words(text, "_")),
    "kebabcase": _text(lambda text: _words(text, "-")),
    "camelcase": _text(lambda text: "".join(each.title() for each in _words(text, "_").split("_"))),
    "b64enc": _text(lambda text: base64.b64encode(text.encode()).decode()),
    "b64dec": _base64_decoded,
    "sha256sum": _text(lambda text: hashlib.sha256(text.encode()).hexdigest()),
    "sha1sum": _text(lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest()),
    "adler32sum": lambda _text: UNKNOWN,
    "urlquery": _text(str),
    "trimSuffix": lambda end, text: printed(text).removesuffix(printed(end)),
    "trimPrefix": lambda start, text: printed(text).removeprefix(printed(start)),
    "trimAll": lambda marks, text: printed(text).strip(printed(marks)),
    "trunc": lambda count, text: (
        printed(text)[: integer(count)] if integer(count) >= 0 else printed(text)[integer(count) :]
    ),
    "substr": lambda start, end, text: printed(text)[integer(start) : integer(end)],
    "replace": _replace,
    "repeat": _repeat,
    "contains": lambda part, text: printed(part) in printed(text),
    "hasPrefix": lambda start, text: printed(text).startswith(printed(start)),
    "hasSuffix": lambda end, text: printed(text).endswith(printed(end)),
    "regexMatch": lambda pattern, text: _regex(pattern).search(printed(text)) is not None,
    "mustRegexMatch": lambda pattern, text: _regex(pattern).search(printed(text)) is not None,
    "regexReplaceAll": lambda pattern, text, by: _regex(pattern).sub(
        re.sub(r"\$\{?(\d)\}?", r"\\\1", printed(by)), printed(text)
    ),
    "regexReplaceAllLiteral": lambda pattern, text, by: _regex(pattern).sub(
        printed(by).replace("\\", "\\\\"), printed(text)
    ),
    "regexFind": lambda pattern, text: (
        found[0] if (found := _regex(pattern).search(printed(text))) else ""
    ),
    "regexSplit": lambda pattern, text, _count: list(_regex(pattern).split(printed(text))),
    "int": integer,
    "int64": integer,
    "atoi": integer,
    "float64": lambda value: float(number(value)),
    "add": lambda *values: sum(map(integer, values)),
    "add1": lambda value: integer(value) + 1,
    "sub": lambda first, second: integer(first) - integer(second),
    "mul": lambda first, second: integer(first) * integer(second),
    "div": _divided,
    "mod": _remainder,
    "addf": lambda *values: float(sum(map(number, values))),
    "mulf": lambda first, second: float(number(first) * number(second)),
    "divf": lambda first, second: float(number(first) / (number(second) or 1)),
    "max": lambda *values: max(map(integer, values)),
    "min": lambda *values: min(map(integer, values)),
    "floor": lambda value: float(int(number(value) // 1)),
    "ceil": lambda value: float(-int(-number(value) // 1)),
    "round": lambda value, digits: round(number(value), integer(digits)),
    "kindOf": _kind,
    "kindIs": _is_kind,
    "typeOf": _type,
    "typeIs": lambda kind, value: _type(value) == kind or _is_kind(kind, value),
    "typeIsLike": lambda kind, value: _type(value) == printed(kind).lstrip("*"),
    "semverCompare": _satisfies,
    "lookup": lambda *_: {},
}
"""By name; `and`, `or`, `include`, `tpl`, `required`, `fail` and `toYaml` need the evaluation."""

SHALLOW = frozenset(
    [
        "default",
        "coalesce",
        "ternary",
        "empty",
        "not",
        "dict",
        "list",
        "tuple",
        "get",
        "set",
        "unset",
        "hasKey",
        "keys",
        "values",
        "pick",
        "omit",
        "dig",
        "index",
        "first",
        "last",
        "rest",
        "initial",
        "append",
        "prepend",
        "concat",
        "len",
        "kindOf",
        "kindIs",
        "typeOf",
        "typeIs",
        "typeIsLike",
        "lookup",
        "reverse",
        "slice",
    ]
)
"""Functions that look at no more than the top of their arguments."""
