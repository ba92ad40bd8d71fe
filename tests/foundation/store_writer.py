"""Writes generation after generation to a store until it is killed; prints what is committed."""

from __future__ import annotations

import sys
from dataclasses import replace

from store_samples import asset, at, event, finding, incident, result

from keepwall.foundation.store.store import Store
from keepwall.vocabulary.errors import KeepwallError
from keepwall.vocabulary.incident import TimelineEntry

SIZE = 40
"""Rows of each kind per generation."""


def write(store: Store, generation: int) -> None:
    """Store one generation: four transactions, each of many rows."""
    first = generation * SIZE
    store.events.append([event(n) for n in range(first, first + SIZE)])
    store.scans.record(
        result(
            "repo",
            minutes=generation,
            assets=tuple(asset(f"{generation}/{n}", "a.txt") for n in range(SIZE)),
            findings=tuple(finding(f"{generation}/{n}") for n in range(SIZE)),
        )
    )
    entry = TimelineEntry(at(generation), "note", str(generation))
    store.incidents.add("i-1", entry, events=(str(generation),))
    store.documents.put("envelopes", "claims", generation, bytes(str(generation), "ascii") * 999)


def main(url: str, generation: int) -> None:
    """Write until killed, or until the disk is full."""
    with Store.open(url) as store:
        if store.incidents.get("i-1") is None:
            store.incidents.open(replace(incident("i-1")))
        while True:
            try:
                write(store, generation)
            except KeepwallError as error:
                print(type(error).__name__, error.message, flush=True)  # noqa: T201 - for the test
                return
            print(generation, flush=True)  # noqa: T201 - how the test is told
            generation += 1


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
