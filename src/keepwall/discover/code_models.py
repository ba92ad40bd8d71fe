"""Models that code names outside of calls: constants, defaults, fields, tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from keepwall.discover.hosted_models import hosted_model
from keepwall.discover.model_names import ModelName, ModelNames
from keepwall.discover.source import FileView, TreeContext
from keepwall.formats.source.model import Text
from keepwall.vocabulary.asset import Asset, Location
from keepwall.vocabulary.fact import Fact
from keepwall.vocabulary.json_value import JsonValue
from keepwall.vocabulary.scan import Observation

MOST_IN_ONE_TABLE = 12
"""More models than this in one literal are a table of what exists, not what is used."""

_MOST_ENTRIES = 15
"""So are a few models among more entries than this."""

_GAP = 5
"""Entries of one literal are at most this many lines apart."""


def observe_texts(
    texts: Sequence[Text],
    claimed: frozenset[str],
    view: FileView,
    context: TreeContext,
    holder: Asset,
    *,
    most: int = MOST_IN_ONE_TABLE,
) -> Iterator[Observation]:
    """Yield the models among `texts`, each once; `claimed` are names that calls already told.

    More than `most` models in one literal are a table, which is one fact and no asset.
    """
    names = context.catalogue.models
    seen: set[ModelName] = set()
    for table in _tables(texts, names):
        found: dict[ModelName, Text] = {}
        for text in table:
            model = None if text.value in claimed else names.recognise(text.value, text.key)
            if model is not None and model.name not in claimed:
                found.setdefault(model, text)
        entries = len({text.value for text in table})
        if found and (len(found) > most or entries > max(most, _MOST_ENTRIES)):
            yield table_fact(table[0].key, len(found), holder, Location(view.path, table[0].line))
            continue
        for model in [each for each in found if each not in seen]:
            seen.add(model)
            text = found[model]
            place = Location(view.path, text.line)
            role = names.role(model.name, text.key)
            yield from hosted_model(model, role, holder, place, context)
            yield _named(model.provider, model.name, holder, place)


def _tables(texts: Sequence[Text], names: ModelNames) -> Iterator[list[Text]]:
    """Yield the texts that may name models, those of one literal together."""
    ends: dict[tuple[str, str], list[Text]] = {}
    for text in texts:
        if not text.key or not (
            names.holds_model(text.key) or names.is_route(text.key, text.value)
        ):
            continue
        place = (text.scope, text.key.partition(".")[0])
        table = ends.get(place)
        if table is not None and abs(text.line - table[-1].line) <= _GAP:
            table.append(text)
            continue
        if table is not None:
            yield table
        ends[place] = [text]
    yield from ends.values()


def table_fact(key: str, count: int, holder: Asset, place: Location) -> Fact:
    """Return the one fact about a table of models: what exists, which is not what is used."""
    return _named("table", f"{count} models in {key.partition('.')[0]}", holder, place)


def _named(provider: str, name: str, holder: Asset, place: Location) -> Fact:
    """Return the fact about a name that no call uses; whether it is pinned is not known."""
    value: dict[str, JsonValue] = {"provider": provider, "name": name, "revision": ""}
    value |= {"pinned": None, "function": ""}
    return Fact("model.reference", holder.id, value, place.path, place.line)
