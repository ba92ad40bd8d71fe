from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from keepwall.foundation.store.documents import KEPT
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.errors import IntegrityError


def test_a_document_comes_back_byte_for_byte(store: Store) -> None:
    body = bytes(range(256))
    store.documents.put("envelopes", "claims", 1, body)
    assert store.documents.get("envelopes", "claims") == (1, body)
    assert store.documents.get("envelopes", "other") is None
    assert store.documents.get("status", "claims") is None
    odd = "\0\udc80" + "long/" * 300
    store.documents.put(odd, odd * 10, 1, b"")
    assert store.documents.get(odd, odd * 10) == (1, b"")


def test_a_generation_only_rises(store: Store) -> None:
    store.documents.put("envelopes", "claims", 2, b"two")
    store.documents.put("envelopes", "claims", 2, b"two")
    with pytest.raises(IntegrityError, match="generation 1 is older than the stored 2"):
        store.documents.put("envelopes", "claims", 1, b"one")
    with pytest.raises(IntegrityError, match="another content"):
        store.documents.put("envelopes", "claims", 2, b"forged")
    assert store.documents.get("envelopes", "claims") == (2, b"two")
    store.documents.put("envelopes", "claims", 7, b"one")
    assert store.documents.get("envelopes", "claims") == (7, b"one")


@pytest.mark.parametrize("generation", [-1, 2**63, 10**40])
def test_a_generation_out_of_range_is_refused(store: Store, generation: int) -> None:
    with pytest.raises(IntegrityError, match="generation"):
        store.documents.put("envelopes", "claims", generation, b"")
    assert store.documents.list("envelopes") == []


def test_a_bucket_is_listed_by_key(store: Store) -> None:
    for name in ("b", "a", "C"):
        store.documents.put("status", name, 1, name.encode())
    store.documents.put("envelopes", "z", 1, b"z")
    assert store.documents.list("status") == [("C", 1, b"C"), ("a", 1, b"a"), ("b", 1, b"b")]


def test_of_racing_writers_the_highest_generation_stays(store: Store) -> None:
    def put(generation: int) -> bool:
        try:
            store.documents.put("envelopes", "claims", generation, str(generation).encode())
        except IntegrityError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert True in list(pool.map(put, range(1, 41)))
    assert store.documents.get("envelopes", "claims") == (40, b"40")


def test_settings_are_set_changed_and_forgotten(store: Store) -> None:
    assert store.settings.get("theme") is None
    store.settings.set("theme", "dark")
    store.settings.set("theme", "light \0 \udc80 é")
    store.settings.set("Theme", "")
    assert store.settings.get("theme") == "light \0 \udc80 é"
    assert store.settings.get("Theme") == ""
    store.settings.delete("theme")
    store.settings.delete("theme")
    assert store.settings.get("theme") is None


def test_earlier_generations_are_kept_newest_first_and_bounded(store: Store) -> None:
    for generation in range(1, KEPT + 8):
        store.documents.put("envelopes", "claims", generation * 2, str(generation).encode())
    store.documents.put("envelopes", "claims", (KEPT + 7) * 2, str(KEPT + 7).encode())
    store.documents.put("envelopes", "claims#narrowed", 1, b"narrow")
    past = store.documents.history("envelopes", "claims")
    assert [each.generation for each in past] == [n * 2 for n in range(KEPT + 7, 7, -1)]
    assert (past[0].body, past[-1].body) == (str(KEPT + 7).encode(), b"8")
    assert all(each.at is not None and each.at.tzinfo is not None for each in past)
    assert [each.body for each in store.documents.history("envelopes", "claims#narrowed")] == [
        b"narrow"
    ]
    assert store.documents.history("envelopes", "other") == []


def test_a_refused_generation_leaves_no_trace_in_the_history(store: Store) -> None:
    store.documents.put("envelopes", "claims", 2, b"two")
    for generation in (1, 2):
        with pytest.raises(IntegrityError):
            store.documents.put("envelopes", "claims", generation, b"forged")
    assert [each.body for each in store.documents.history("envelopes", "claims")] == [b"two"]
