"""Settings in text files, as flat pairs: YAML, JSON, TOML, INI and ``.env``, read line by line.

Nothing is required to parse: a template, a fragment or a file with comments gives what its lines
say. The price is that anchors, block texts and flow collections over several lines give nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_MAXIMUM_LINES = 20_000
_MAXIMUM_LINE = 1_000
_MAXIMUM_DEPTH = 50
_YAML = re.compile(
    r"(?P<indent> *)(?P<dash>(?:- +)*)(?:[\"']?(?P<key>[\w./@-]{1,100})[\"']?:(?: +|$))?"
)
_JSON = re.compile(
    r"(?:\"(?P<key>[\w./@-]{1,100})\"\s{0,9}:\s{0,9})?"
    r"(?:\"(?P<value>(?:[^\"\\]|\\.){0,500})\"|(?P<open>[\[{])|(?P<close>[\]}]))"
)
_LINE = re.compile(
    r"\s*(?:export\s+|set\s+)?[\"']?(?P<key>[\w.-]{1,100})[\"']?\s*=\s*(?P<value>.*)"
)
_SECTION = re.compile(r"\s*\[{1,2}\s*(?P<name>[\w. \"'/-]{1,100})\s*\]{1,2}\s*(?:#.*)?$")
_QUOTED = re.compile(r"([\"'])(.*?)\1")
_ITEMS = re.compile(r"[\"']([^\"'\[\]]{1,300})[\"']|([^\s,\"'\[\]{}]{1,300})")


@dataclass(frozen=True, slots=True)
class Setting:
    """A value and the dotted key that it stands below; `table` tells entries of a list apart."""

    key: str
    value: str
    line: int
    table: int = 0


def read_settings(name: str, text: str) -> Iterator[Setting]:
    """Yield the settings in `text`, by the ending of the file's `name` (lower case)."""
    if name.endswith((".yaml", ".yml")):
        return _yaml(text)
    if name.endswith((".json", ".jsonc", ".json5")):
        return _json(text)
    return _lines(text)


def _numbered(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n")[:_MAXIMUM_LINES], 1):
        if len(line) <= _MAXIMUM_LINE and line.strip() and line.lstrip()[0] not in "#;":
            yield number, line.rstrip("\r")


def _yaml(text: str) -> Iterator[Setting]:
    above: list[tuple[int, str]] = []
    table = 0
    variable: tuple[int, str] = (-1, "")
    for number, line in _numbered(text):
        match = _YAML.match(line)
        if match is None:
            continue
        depth = len(match["indent"]) + len(match["dash"])
        table += bool(match["dash"])
        closed = len(match["indent"]) + 1 if match["dash"] else depth
        while above and above[-1][0] >= closed:
            above.pop()
        key, value = match["key"], _scalar(line[match.end() :])
        path = ".".join(each for _, each in above[-3:])
        if key is None:
            if match["dash"] and value:
                yield _item(path, value, number, table)
        elif not value:
            above.append((depth, key))
        elif key == "value" and variable[0] == depth:
            yield Setting(variable[1], value, number, table)
        else:
            # the environment of a container: a name, then its value
            named = key == "name" and value.isupper()
            variable = (depth, value) if named else (-1, "") if key == "name" else variable
            whole = f"{path}.{key}" if path else key
            for each in [""] if named else _values(value):
                yield Setting(value if named else whole, each, number, table)


def _item(path: str, value: str, number: int, table: int) -> Setting:
    """Return an item of a list; ``NAME=value`` is a variable of an environment."""
    name, mark, rest = value.partition("=")
    listed = mark and name.isidentifier()
    return Setting(name if listed else path, rest if listed else value, number, table)


def _json(text: str) -> Iterator[Setting]:
    above: list[str] = []
    table = 0
    for number, line in _numbered(text):
        for match in _JSON.finditer(line):
            if match["close"]:
                if above:
                    above.pop()
            elif match["open"]:
                table += match["open"] == "{"
                if len(above) < _MAXIMUM_DEPTH:
                    above.append(match["key"] or "")
            elif match["value"]:
                names = [*above[-3:], match["key"] or ""]
                yield Setting(".".join(filter(None, names)), match["value"], number, table)


def _lines(text: str) -> Iterator[Setting]:
    section = ""
    table = 0
    for number, line in _numbered(text):
        if match := _SECTION.match(line):
            section = match["name"].strip(" \"'").replace('"', "")
            table += 1
        elif match := _LINE.match(line):
            key = f"{section}.{match['key']}" if section else match["key"]
            found = list(_values(_scalar(match["value"])))
            for value in found or [""]:
                yield Setting(key, value, number, table)


def _scalar(text: str) -> str:
    """Return a scalar without quotes and comment."""
    text = text.strip()
    if match := _QUOTED.match(text):
        return match[2]
    if text[:1] in ("|", ">", "&", "*"):
        return ""
    return text.split(" #", 1)[0].rstrip().rstrip(",")


def _values(value: str) -> Iterator[str]:
    """Yield the value, or the items of a list that is written on one line."""
    if not value.startswith(("[", "{")):
        yield value
        return
    for match in list(_ITEMS.finditer(value))[:50]:
        yield match[1] or match[2]
