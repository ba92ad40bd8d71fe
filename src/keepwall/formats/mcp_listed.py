"""Lists of MCP servers that stand as JSON inside other texts: variables in YAML and ``.env``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from keepwall.formats.mcp_client import McpServer, described_server
from keepwall.formats.safe_json import load_json
from keepwall.vocabulary.errors import FormatError

_VARIABLE = re.compile(
    r"(?im)^(?P<before>[^\n#]{0,80}?)[\"']?\b[\w.]{0,40}"
    r"MCP_?(?:SERVERS?|CONFIG\w{0,10})(?:_JSON)?\b[\"']?"
    r"[ \t]*(?:[:=]|,[ \t]*[\"']?value[\"']?[ \t]*:)"
    r"[ \t]*(?:[>|][+-]?[ \t]*)?[\"'`]?\s{0,80}(?=[\[{])"
)
_LONGEST = 20_000
_MOST = 20


def listed_servers(text: str) -> Iterator[McpServer]:
    """Yield the servers in variables such as ``MCP_SERVERS=[{"name": …, "url": …}]``.

    Comments, and what is no JSON, give nothing.
    """
    for found in list(_VARIABLE.finditer(text))[:_MOST]:
        if found["before"].lstrip().startswith(("#", "//", ";")):
            continue
        line = text.count("\n", 0, found.end()) + 1
        raw = _balanced(text, found.end())
        document = _loaded(raw) or _loaded(raw.replace('\\"', '"'))
        yield from _servers(document, line)


def _loaded(raw: str) -> object:
    try:
        return load_json(raw.encode(), depth=20, nodes=2_000)
    except FormatError:
        return None


def _servers(document: object, line: int) -> Iterator[McpServer]:
    if isinstance(document, Mapping):
        inner = document.get("mcpServers", document)
        entries = inner.items() if isinstance(inner, Mapping) else ()
        named = [(str(name), each) for name, each in entries]
    else:
        each_of = document if isinstance(document, list) else []
        named = [(str(each.get("name", "")), each) for each in each_of if isinstance(each, Mapping)]
    for name, each in named[:100]:
        found = described_server(name, each, line) if isinstance(each, Mapping) else None
        if found is not None:
            yield found


def _balanced(text: str, start: int) -> str:
    """Return the text from `start` to the bracket that closes the one there."""
    open_, at, quoted = 0, start, False
    last = min(len(text), start + _LONGEST)
    while at < last:
        letter = text[at]
        if letter == '"' and text[at - 1] != "\\":
            quoted = not quoted
        elif not quoted and letter in "[{":
            open_ += 1
        elif not quoted and letter in "]}":
            open_ -= 1
            if not open_:
                return text[start : at + 1]
        at += 1
    return ""
