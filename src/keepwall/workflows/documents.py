"""Signed documents in their three places: the store, this machine's disk, and the bus."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from keepwall.formats import dsse
from keepwall.formats.envelope.parse import parse
from keepwall.foundation.bus.contract import Bus
from keepwall.foundation.bus.signed import Document, Signer, document_name, seal
from keepwall.foundation.bus.snapshot import SnapshotDirectory
from keepwall.foundation.store.store import Store
from keepwall.vocabulary.envelope import Envelope


class Documents:
    """Writes and reads them; without a bus the other two places still hold."""

    def __init__(
        self, store: Store, snapshots: SnapshotDirectory, signer: Callable[[], Signer]
    ) -> None:
        self._store = store
        self._snapshots = snapshots
        self._signer = signer
        self._bus: Bus | None = None

    async def attach(self, bus: Bus) -> None:
        """Use `bus` from now on, and bring it up to date with what the store holds."""
        self._bus = bus
        for bucket in ("envelopes", "containments"):
            for key, _, envelope in self._store.documents.list(bucket):
                await bus.put(bucket, document_name(key), envelope)

    def generation(self, bucket: str, key: str) -> int:
        """Return the latest generation of a document, or 0."""
        found = self._store.documents.get(bucket, key)
        return found[0] if found else 0

    async def put(self, bucket: str, key: str, body: dict[str, Any], generation: int) -> None:
        """Sign a document and write it to disk first: what must outlive us comes before speed."""
        envelope = seal(self._signer(), bucket, key, generation, body)
        self._store.documents.put(bucket, key, generation, envelope)
        self._snapshots.write(Document(bucket, key, generation, body, envelope))
        if self._bus is not None:
            await self._bus.put(bucket, document_name(key), envelope)

    def envelope(self, uid: str) -> Envelope | None:
        """Return the latest envelope published under `uid`, or None."""
        found = self._store.documents.get("envelopes", uid)
        if found is None:
            return None
        payload = msgspec.json.decode(dsse.decode(found[1]).payload)
        return parse(str(payload["body"]["spec"]).encode(), f"{uid} generation {found[0]}")
