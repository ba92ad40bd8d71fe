"""Recorded events, wherever they are: in the store, or still in the spool of this machine."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence

from keepwall.foundation import spool
from keepwall.foundation.state import StateDirectory
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.event import Event

_PAGE = 500


def find(event_id: str, store: Store | None, state: StateDirectory) -> Event | None:
    """Return an event from the store, else from the spool, or None."""
    found = store.events.get(event_id) if store else None
    return found or spool.find(state.spool, event_id)


def recorded(
    store: Store | None, state: StateDirectory, subjects: Sequence[str], limit: int
) -> Iterator[Event]:
    """Yield events of `subjects`: those in the spool, then at most `limit` stored of each.

    An event may come twice while the control plane takes it in.
    """
    wanted = frozenset(subjects)
    for path in reversed(spool.files(state.spool)):
        with contextlib.suppress(OSError):
            for batch in spool.events(path):
                yield from (event for event in batch if event.subject in wanted)
    if store is not None:
        for subject in dict.fromkeys(subjects):
            yield from _stored(store, subject, limit)


def _stored(store: Store, subject: str, limit: int) -> Iterator[Event]:
    before, left = None, limit
    while left > 0:
        page = store.events.list(subject=subject, before_id=before, limit=min(_PAGE, left))
        yield from (stored.event for stored in page)
        left -= len(page)
        if not page:
            return
        before = page[-1].sequence
