"""Carries the events of a run to the control plane, and its orders back, beside the run itself."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from collections import deque
from collections.abc import Callable, Collection
from contextlib import aclosing, suppress

from keepwall.foundation.bus.contract import Bus
from keepwall.foundation.clock import Clock
from keepwall.vocabulary.errors import KeepwallError
from keepwall.vocabulary.event import Event
from keepwall.workflows.connection import Connection
from keepwall.workflows.node_status import NodeStatus

_log = logging.getLogger(__name__)
_MOST_WAITING = 10_000
_BATCH = 200
_LAST_WORDS = 2.0


class Forwarder:
    """A thread with its own connection; the run never waits for it.

    `contained` is called with an incident id when the control plane contains one of `subjects`;
    `status` says on the bus that this run is there, and how strong.
    What cannot be sent stays in the spool, from where the control plane takes it later.
    """

    def __init__(
        self,
        connection: Connection,
        subjects: Collection[str],
        clock: Clock,
        contained: Callable[[str], None],
        status: NodeStatus | None = None,
    ) -> None:
        self._connection = connection
        self._subjects = subjects
        self._clock = clock
        self._contained = contained
        self._status = status
        self._waiting: deque[Event] = deque(maxlen=_MOST_WAITING)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._news: asyncio.Event | None = None
        self._ending = False
        self._thread = threading.Thread(target=self._run, name="keepwall-forwarder", daemon=True)

    def start(self) -> None:
        """Begin to connect."""
        self._thread.start()

    def emit(self, event: Event) -> None:
        """Take one event; returns at once."""
        self._waiting.append(event)
        self._wake()

    def close(self) -> None:
        """Send what waits, for two seconds at most."""
        self._ending = True
        self._wake()
        self._thread.join(timeout=_LAST_WORDS if self._waiting else 0.05)

    def _wake(self) -> None:
        loop, news = self._loop, self._news
        if loop and news:
            with suppress(RuntimeError):  # the loop has ended meanwhile
                loop.call_soon_threadsafe(news.set)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (KeepwallError, OSError) as error:
            _log.warning("events stay in the spool: %s", error)

    async def _serve(self) -> None:
        # Late on purpose: the client costs 100 ms to import, which the run does not wait for.
        from keepwall.foundation.bus.nats import NatsBus  # noqa: PLC0415

        self._loop, self._news = asyncio.get_running_loop(), asyncio.Event()
        tls = ssl.create_default_context(cafile=self._connection.ca)
        tls.load_cert_chain(self._connection.certificate, self._connection.key)
        bus = await NatsBus.connect(self._connection.url, tls, name="keepwall-run", patience=1.0)
        beside = [asyncio.create_task(self._watch(bus))]
        if self._status:
            beside.append(asyncio.create_task(self._status.publish(bus)))
        try:
            await self._send(bus, self._news)
        finally:
            for task in beside:
                task.cancel()
                with suppress(asyncio.CancelledError, KeepwallError, OSError):
                    await task
            await bus.close()

    async def _send(self, bus: Bus, news: asyncio.Event) -> None:
        from keepwall.formats.ocsf import encode_batch  # noqa: PLC0415
        from keepwall.vocabulary.subjects import event_subject  # noqa: PLC0415

        while self._waiting or not self._ending:
            batch = [self._waiting.popleft() for _ in range(min(_BATCH, len(self._waiting)))]
            if not batch:
                news.clear()
                if not self._waiting and not self._ending:
                    await news.wait()
                continue
            subject = event_subject(batch[0].plane, batch[0].node)
            await bus.publish(subject, encode_batch(batch), f"{batch[0].id}+{len(batch)}")

    async def _watch(self, bus: Bus) -> None:
        from keepwall.foundation.bus.signed import Document, SignedDocuments  # noqa: PLC0415
        from keepwall.foundation.trust.verify import Verifier  # noqa: PLC0415

        verifier = Verifier(bytes.fromhex(self._connection.root))
        documents = SignedDocuments(bus, self._clock).watch(verifier, "containments")
        async with aclosing(documents) as changes:
            async for change in changes:
                if isinstance(change, Document) and change.body is not None:
                    body = change.body
                    if body.get("subject") in self._subjects and body.get("level") != "released":
                        self._contained(change.key)
