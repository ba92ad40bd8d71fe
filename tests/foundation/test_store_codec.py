from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from store_samples import event, finding

from keepwall.foundation.store.codec import decode, encode, haystack, key, needle, plain
from keepwall.vocabulary.asset import Asset, AssetKind, Location
from keepwall.vocabulary.errors import IntegrityError
from keepwall.vocabulary.event import Event
from keepwall.vocabulary.surface import Surface

ANY_TEXT = st.text(st.characters())  # lone surrogates and NUL included


@given(ANY_TEXT, ANY_TEXT, st.dictionaries(ANY_TEXT, ANY_TEXT))
def test_an_asset_of_any_text_round_trips(name: str, path: str, attributes: dict[str, str]) -> None:
    asset = Asset(
        AssetKind.LIBRARY, name, name, Surface.DATA, (Location(path, 1),), attributes=attributes
    )
    assert decode(encode(asset), Asset) == asset


def test_an_event_round_trips() -> None:
    assert decode(encode(event(3)), Event) == event(3)


@given(st.lists(ANY_TEXT, max_size=4), st.lists(ANY_TEXT, max_size=4))
def test_keys_are_equal_only_for_equal_parts(one: list[str], other: list[str]) -> None:
    assert (key(*one) == key(*other)) == (one == other)
    assert len(key(*one)) == 32


@given(ANY_TEXT)
def test_plain_text_is_what_both_databases_hold(text: str) -> None:
    held = plain(text)
    assert "\0" not in held
    assert held.encode().decode() == held


@given(ANY_TEXT)
def test_a_word_of_a_row_is_found_in_it(text: str) -> None:
    assert needle(text) in haystack(["before", text, "after"])


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"rule": 1}', "[" * 100_000])
def test_damage_is_an_integrity_error(damaged: str) -> None:
    with pytest.raises(IntegrityError, match="Finding"):
        decode(damaged, type(finding()))
