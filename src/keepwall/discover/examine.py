"""Look at one file: what all sources that want it see, bounded, whatever it holds."""

from __future__ import annotations

from collections.abc import Iterator

from keepwall.discover.model_files import may_be_model, observe_model
from keepwall.discover.reading import OpenFile
from keepwall.discover.source import FileView, Source, TreeContext
from keepwall.discover.sources import SOURCES
from keepwall.vocabulary.errors import FormatError
from keepwall.vocabulary.fact import Fact, Unread
from keepwall.vocabulary.scan import Observation


def wanted(path: str, context: TreeContext) -> bool:
    """Return whether any source has a use for the file, judged by its path alone."""
    return any(each.wants(path, context) for each in SOURCES) or may_be_model(path, context)


def examine(path: str, file: OpenFile, context: TreeContext) -> list[Observation]:
    """Return what is seen in an open file; what is not read of it is among that as `Unread`.

    Raises:
        FormatError: the file cannot be read.
    """
    sources = [each for each in SOURCES if each.wants(path, context)]
    limit = context.limits.bytes_per_file
    if not sources:
        is_model, seen = observe_model(path, file, context)
        return seen if is_model or file.size <= limit else [*seen, _too_large(path, file, limit)]
    if file.size > limit:
        return [_too_large(path, file, limit)]
    view = FileView(path, file.read_at(0, file.size))
    return list(_observations(view, sources, context))


def _observations(
    view: FileView, sources: list[Source], context: TreeContext
) -> Iterator[Observation]:
    for source in sources:
        try:
            yield from _bounded(view.path, source.observe(view, context), context)
        except FormatError as error:
            yield Unread(view.path, error.message)


def _bounded(path: str, seen: Iterator[Observation], context: TreeContext) -> Iterator[Observation]:
    """Yield what was seen in a file up to the limit of facts, then say that there was more."""
    facts = 0
    for each in seen:
        facts += isinstance(each, Fact)
        if facts > context.limits.facts_per_file:
            yield Unread(path, f"more than {facts - 1} facts; the rest was left out")
            return
        yield each


def _too_large(path: str, file: OpenFile, limit: int) -> Unread:
    return Unread(path, f"{file.size} bytes, more than the {limit} that are read")
