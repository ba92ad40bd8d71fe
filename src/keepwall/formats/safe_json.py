"""JSON that others wrote: bounded in size and nesting before it is parsed."""

from __future__ import annotations

import re

import msgspec

from keepwall.vocabulary.errors import FormatError

DEFAULT_DEPTH = 100
DEFAULT_NODES = 2_000_000

# Possessive quantifiers keep the scan linear, also in a string that never ends.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"?|[\[{]|[\]}]|,', re.DOTALL)
_COMMENT_OR_STRING = re.compile(
    r'"(?:[^"\\]++|\\.)*+"?|//[^\n]*+|/\*(?:[^*]++|\*(?!/))*+(?:\*/)?', re.DOTALL
)
_TRAILING_COMMA = re.compile(r'("(?:[^"\\]++|\\.)*+"?)|,(?=\s*+[\]}])', re.DOTALL)


def load_json(data: bytes, *, depth: int = DEFAULT_DEPTH, nodes: int = DEFAULT_NODES) -> object:
    """Return the JSON document in `data` (UTF-8, with or without a byte order mark).

    Raises:
        FormatError: it is not JSON, nests deeper than `depth`, or holds more than `nodes` values.
    """
    data = data.removeprefix(b"\xef\xbb\xbf")
    _check_shape(data, depth, nodes)
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(f"not JSON: {error}") from error


def load_json_with_comments(data: bytes, *, depth: int = DEFAULT_DEPTH) -> object:
    """Return the document in `data`, where comments and trailing commas are allowed (JSONC).

    Raises:
        FormatError: as `load_json`.
    """
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    text = _COMMENT_OR_STRING.sub(lambda match: match[0] if match[0][0] == '"' else " ", text)
    text = _TRAILING_COMMA.sub(lambda match: match[1] or "", text)
    return load_json(text.encode(), depth=depth)


def _check_shape(data: bytes, depth: int, nodes: int) -> None:
    """Refuse what would cost more stack or memory than its size suggests."""
    level = count = 0
    for match in _TOKEN.finditer(data):
        first = data[match.start()]
        if first in b"[{":
            level += 1
            count += 1
            if level > depth:
                raise FormatError(
                    f"nested deeper than {depth} levels", place=f"byte {match.start()}"
                )
        elif first in b"]}":
            level -= 1
        elif first in b",":
            count += 1
        if count > nodes:
            raise FormatError(f"more than {nodes} values")
