"""Adds one rule to the text of an envelope, so that its comments and layout stay.

Only the YAML parser knows whether a text says what was meant, so this offers candidates and whoever
asks parses them.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator

from keepwall.vocabulary.envelope import AddressRule, PathRule

_PLAIN = re.compile(r"/[A-Za-z0-9_./+@-]*(/\*\*)?\Z")
_ITEM = re.compile(r"( *)- ")
_MOST_BRACKETS = 20
_LONGEST_ITEM = 10


def candidates(text: str, line: int, item: str) -> Iterator[str]:
    """Yield texts with `item` added to the list whose last item stands on `line` (from 1).

    An item of several lines may be named by its first line or by the one behind it.
    """
    lines = text.splitlines(keepends=True)
    if not 0 < line <= len(lines):
        return
    for at in range(line - 1, max(line - 1 - _LONGEST_ITEM, -1), -1):
        if found := _ITEM.match(lines[at]):
            yield _below(lines, at, found[1], item)
            break
    here = lines[line - 1]
    brackets = (at for at in range(len(here) - 1, -1, -1) if here[at] == "]")
    for at in itertools.islice(brackets, _MOST_BRACKETS):
        changed = f"{here[:at].rstrip()}, {item}{here[at:]}"
        yield "".join([*lines[: line - 1], changed, *lines[line:]])


def _below(lines: list[str], at: int, indent: str, item: str) -> str:
    """Return the text with `item` behind the item that starts at the index `at`."""
    end = "\r\n" if lines[at].endswith("\r\n") else "\n"
    after = at + 1
    while after < len(lines) and _deeper(lines[after], len(indent)):
        after += 1
    before = lines[:after]
    before[-1] = before[-1].rstrip("\r\n") + end
    return "".join([*before, f"{indent}- {item}{end}", *lines[after:]])


def path_item(rule: PathRule) -> str:
    """Return a path rule as one item of a list, flow or block; only its path counts."""
    return rule.path if _PLAIN.match(rule.path) else json.dumps(rule.path)


def peer_item(rule: AddressRule) -> str:
    """Return an egress rule as one item of a list, flow or block."""
    peer = json.dumps(rule.peer) if ":" in rule.peer or "*" in rule.peer else rule.peer
    return f"{{to: {peer}, ports: [{', '.join(map(str, rule.ports))}]}}"


def listen_item(rule: AddressRule) -> str:
    """Return a listen rule with one port as one item of a list, flow or block."""
    host = f"[{rule.peer}]" if ":" in rule.peer else rule.peer
    return json.dumps(f"{host}:{rule.ports[0]}")


def _deeper(line: str, indent: int) -> bool:
    """Return whether a line belongs to the item before: it is indented further."""
    return len(line) - len(line.lstrip(" ")) > indent and not line.lstrip().startswith("#")
