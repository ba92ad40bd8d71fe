from __future__ import annotations

from dataclasses import replace

from store_samples import event

from keepwall.foundation.store.store import Store
from keepwall.vocabulary.decision import Effect


def test_events_come_back_as_they_were_newest_first(store: Store) -> None:
    batch = [event(n) for n in range(5)]
    assert store.events.append(batch) == 5
    stored = store.events.list()
    assert [each.event for each in stored] == batch[::-1]
    sequences = [each.sequence for each in stored]
    assert sequences == sorted(set(sequences), reverse=True)
    assert store.events.get("node-1:boot:3") == batch[3]
    assert store.events.get("nothing") is None


def test_appending_is_idempotent_by_id(store: Store) -> None:
    assert store.events.append([]) == 0
    assert store.events.append([event(1), event(2), event(2)]) == 2
    changed = replace(event(2), message="a later claim under the same id")
    assert store.events.append([changed, event(3)]) == 1
    assert store.events.append([event(1)]) == 0
    assert store.events.count() == 3
    assert store.events.get(event(2).id) == event(2), "what is stored is not rewritten"


def test_events_are_filtered_and_paged(store: Store) -> None:
    store.events.append(
        [
            event(n, subject=f"run:{n % 2}", effect=Effect.DENY if n % 4 == 0 else Effect.ALLOW)
            for n in range(20)
        ]
    )
    denied = store.events.list(effect=Effect.DENY)
    assert [each.event.process.pid for each in denied] == [16, 12, 8, 4, 0]
    odd = store.events.list(subject="run:1", limit=3)
    assert [each.event.process.pid for each in odd] == [19, 17, 15]
    older = store.events.list(subject="run:1", limit=3, before_id=odd[-1].sequence)
    assert [each.event.process.pid for each in older] == [13, 11, 9]
    assert store.events.list(subject="run:1", effect=Effect.DENY) == []
    assert len(store.events.list(before_id=10**30, limit=10**30)) == 20


def test_pruning_keeps_the_newest_and_never_reuses_a_sequence(store: Store) -> None:
    store.events.append([event(n) for n in range(10)])
    last = store.events.list(limit=1)[0].sequence
    assert store.events.prune(4) == 6
    assert [each.event.process.pid for each in store.events.list()] == [9, 8, 7, 6]
    assert store.events.prune(4) == 0
    assert store.events.prune(0) == 4
    assert store.events.count() == 0
    store.events.append([event(99)])
    assert store.events.list()[0].sequence > last


def test_pruning_goes_beyond_one_chunk(store: Store) -> None:
    for start in range(0, 12_000, 3000):
        store.events.append([event(n) for n in range(start, start + 3000)])
    assert store.events.prune(500) == 11_500
    assert store.events.count() == 500


def test_ids_of_any_text_and_length_are_told_apart(store: Store) -> None:
    ids = ["\0", "\udc80", "\\udc80", "a" * 10_000, "a" * 10_000 + "b", "Ä", "ä", "a ", "a"]
    assert store.events.append([replace(event(1), id=name, subject=name) for name in ids]) == 9
    for name in ids:
        found = store.events.get(name)
        assert found is not None
        assert found.id == name
        assert [each.event.id for each in store.events.list(subject=name)] == [name]


def test_a_large_batch_keeps_its_order(store: Store) -> None:
    batch = [event(n) for n in range(2500)]
    assert store.events.append(batch) == 2500
    assert [each.event.id for each in store.events.list(limit=3000)] == [
        each.id for each in reversed(batch)
    ]
