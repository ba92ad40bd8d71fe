"""Sprig's functions on lists and mappings."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from keepwall.formats.helm_values import UNKNOWN, UnevaluatedError, printed, truth
from keepwall.formats.safe_yaml import YamlValue

_MAXIMUM = 10_000
_DEPTH = 64


def items(value: YamlValue) -> list[YamlValue]:
    """Return a list, nothing for nil.

    Raises:
        UnevaluatedError: it is no list.
    """
    if value is None:
        return []
    if not isinstance(value, list):
        raise UnevaluatedError("needs a list and gets something else")
    return value


def table(value: YamlValue) -> dict[str, YamlValue]:
    """Return a mapping, an empty one for nil.

    Raises:
        UnevaluatedError: it is no mapping.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UnevaluatedError("needs a mapping and gets something else")
    return value


def merged(
    first: YamlValue, second: YamlValue, *, overwrite: bool, depth: int = 0
) -> dict[str, YamlValue]:
    """Return a mapping with what both hold; `second` wins only with `overwrite`."""
    found = dict(table(first))
    for key, value in table(second).items():
        have = found.get(key)
        if isinstance(have, dict) and isinstance(value, dict) and depth < _DEPTH:
            found[key] = merged(have, value, overwrite=overwrite, depth=depth + 1)
        elif key not in found or overwrite or (have in (None, "", 0, False) and not overwrite):
            found[key] = value
    return found


def _merge(target: YamlValue, *others: YamlValue) -> YamlValue:
    return _into(target, *others, overwrite=False)


def _merge_over(target: YamlValue, *others: YamlValue) -> YamlValue:
    return _into(target, *others, overwrite=True)


def _into(target: YamlValue, *others: YamlValue, overwrite: bool) -> YamlValue:
    """Merge into the mapping itself, as Sprig does."""
    into = table(target)
    for each in others:
        result = merged(into, each, overwrite=overwrite)
        into.update(result)
    return into


def _dict(*pairs: YamlValue) -> dict[str, YamlValue]:
    return {
        printed(pairs[at]): pairs[at + 1] if at + 1 < len(pairs) else ""
        for at in range(0, len(pairs), 2)
    }


def _set(target: YamlValue, key: YamlValue, value: YamlValue) -> YamlValue:
    table(target)[printed(key)] = value
    return target


def _unset(target: YamlValue, key: YamlValue) -> YamlValue:
    table(target).pop(printed(key), None)
    return target


def _index(value: YamlValue, *keys: YamlValue) -> YamlValue:
    for key in keys:
        if isinstance(value, dict):
            value = value.get(printed(key))
        elif isinstance(value, list) and isinstance(key, int):
            if not 0 <= key < len(value):
                raise UnevaluatedError("asks for an item that is not in the list")
            value = value[key]
        elif value is UNKNOWN:
            return UNKNOWN
        else:
            raise UnevaluatedError("asks for an item of something that has none")
    return value


def _dig(*arguments: YamlValue) -> YamlValue:
    *keys, fallback, value = arguments
    for key in keys:
        if not isinstance(value, dict) or key not in value:
            return fallback
        value = value[printed(key)]
    return value


def _has(wanted: YamlValue, values: YamlValue) -> bool:
    return wanted in items(values)


def _until(*numbers: YamlValue) -> list[YamlValue]:
    bounds = [each for each in numbers if isinstance(each, int)]
    if not bounds or (len(bounds) > 2 and bounds[2] == 0):  # noqa: PLR2004 - start, end, step
        return []
    found = range(*bounds[:3])
    if len(found) > _MAXIMUM:
        raise UnevaluatedError(f"counts over {_MAXIMUM}")
    return list(found)


def _split(mark: YamlValue, text: YamlValue) -> list[YamlValue]:
    return list(printed(text).split(printed(mark) or None))


def _concat(*lists: YamlValue) -> list[YamlValue]:
    found = [each for part in lists for each in items(part)]
    if len(found) > _MAXIMUM:
        raise UnevaluatedError(f"makes a list of over {_MAXIMUM}")
    return found


def _unique(values: YamlValue) -> list[YamlValue]:
    found: list[YamlValue] = []
    for each in items(values)[:1_000]:
        if each not in found:
            found.append(each)
    return found


def _length(value: YamlValue) -> int:
    return len(value) if isinstance(value, str | list | dict) else 0


def _sorted(values: YamlValue) -> list[YamlValue]:
    return [*sorted(map(printed, items(values)))]


def _joined(mark: YamlValue, values: YamlValue) -> str:
    return (
        printed(mark).join(map(printed, items(values)))
        if isinstance(values, list)
        else printed(values)
    )


def _copied(value: YamlValue, depth: int = 0) -> YamlValue:
    if depth > _DEPTH:
        return value
    if isinstance(value, dict):
        return {key: _copied(each, depth + 1) for key, each in value.items()}
    return [_copied(each, depth + 1) for each in value] if isinstance(value, list) else value


def _slice(values: YamlValue, *bounds: YamlValue) -> YamlValue:
    ends = [each for each in bounds if isinstance(each, int)]
    start, end = (*ends, None, None)[:2] if ends else (0, None)
    return values[start:end] if isinstance(values, str | list) else items(values)


LISTS: Mapping[str, Callable[..., YamlValue]] = {
    "list": lambda *values: list(values),
    "tuple": lambda *values: list(values),
    "dict": _dict,
    "get": lambda value, key: table(value).get(printed(key), ""),
    "set": _set,
    "unset": _unset,
    "hasKey": lambda value, key: printed(key) in table(value),
    "keys": lambda *values: sorted(key for each in values for key in table(each)),
    "values": lambda *values: [found for each in values for found in table(each).values()],
    "pick": lambda value, *keys: {key: each for key, each in table(value).items() if key in keys},
    "omit": lambda value, *keys: {
        key: each for key, each in table(value).items() if key not in keys
    },
    "pluck": lambda key, *values: [table(each)[key] for each in values if key in table(each)],
    "merge": _merge,
    "mustMerge": _merge,
    "mergeOverwrite": _merge_over,
    "mustMergeOverwrite": _merge_over,
    "deepCopy": _copied,
    "mustDeepCopy": _copied,
    "dig": _dig,
    "index": _index,
    "has": _has,
    "mustHas": _has,
    "first": lambda values: next(iter(items(values)), None),
    "last": lambda values: items(values)[-1] if items(values) else None,
    "rest": lambda values: items(values)[1:],
    "initial": lambda values: items(values)[:-1],
    "append": lambda values, *more: _concat(values, list(more)),
    "mustAppend": lambda values, *more: _concat(values, list(more)),
    "prepend": lambda values, first: _concat([first], values),
    "concat": _concat,
    "uniq": _unique,
    "mustUniq": _unique,
    "compact": lambda values: [each for each in items(values) if truth(each)],
    "without": lambda values, *gone: [each for each in items(values) if each not in gone],
    "reverse": lambda values: items(values)[::-1],
    "sortAlpha": _sorted,
    "slice": _slice,
    "len": _length,
    "join": _joined,
    "splitList": _split,
    "split": lambda mark, text: {f"_{at}": each for at, each in enumerate(_split(mark, text))},
    "splitn": lambda mark, count, text: {
        f"_{at}": each for at, each in enumerate(printed(text).split(printed(mark), int(count) - 1))
    },
    "toStrings": lambda values: list(map(printed, items(values))),
    "until": _until,
    "untilStep": _until,
    "seq": lambda *bounds: " ".join(
        map(str, _until(bounds[0] if len(bounds) > 1 else 1, int(bounds[-1]) + 1))
    ),
    "all": lambda *values: all(map(truth, values)),
    "any": lambda *values: any(map(truth, values)),
}
"""By name."""
