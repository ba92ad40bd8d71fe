"""Shell scripts, Procfiles and Makefiles: the lines that start servers of AI."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator

from keepwall.discover.containers import command_fact
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.formats.dockerfile import shell_words
from keepwall.vocabulary.asset import Location
from keepwall.vocabulary.scan import Observation

_NAMES = frozenset({"makefile", "procfile", "justfile"})
_SPLIT = re.compile(r"\s(?:&&|\|\||;|\|)\s|;\s*$|\s&\s*$")
_ASSIGNMENT = re.compile(r"(\w{1,80})=(\S*)$")


def _wants(path: str, _context: TreeContext) -> bool:
    return path.endswith((".sh", ".bash")) or posixpath.basename(path).lower() in _NAMES


def _observe(view: FileView, context: TreeContext) -> Iterator[Observation]:
    pending, start = "", 0
    for number, raw in enumerate(view.text.splitlines(), 1):
        start = start if pending else number
        pending = f"{pending} {raw.strip()}" if pending else raw.strip()
        if raw.endswith("\\") and len(pending) < 10_000:  # noqa: PLR2004 - a line is bounded
            pending = pending[:-1]
            continue
        line, pending = pending, ""
        if not line or line.startswith("#"):
            continue
        if view.name == "procfile":
            line = line.partition(":")[2].strip()
        for command in _SPLIT.split(line)[:20]:
            yield from _command(command.lstrip("@- "), view, start, context)


def _command(text: str, view: FileView, line: int, context: TreeContext) -> Iterator[Observation]:
    if not any(name in text for name in context.catalogue.programs):
        return
    words = shell_words(text)[:200]
    environment: dict[str, str | None] = {}
    while words and (match := _ASSIGNMENT.match(words[0])):
        environment[match[1]] = match[2]
        words.pop(0)
    program = context.catalogue.program(words)
    if program is None or (program.ambiguous and len(words) < 2):  # noqa: PLR2004 - a name alone says little
        return
    yield command_fact(words, environment, "script", context.project, Location(view.path, line))


SHELL_SCRIPTS = Source("shell", _wants, _observe)
