"""The streams that keep pages alive: rows of new events, and word of other changes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request

from keepwall.foundation.store.events import StoredEvent
from keepwall.server.live import Notice, Subscription
from keepwall.server.queries import LiveQuery, parse_query
from keepwall.server.services import Services, services_of
from keepwall.server.stream import KEEP_ALIVE, EventStream, encode_message
from keepwall.vocabulary.event import Event

BACKLOG = 200
"""Events sent to a page that reconnects; older ones are there after a reload."""
CHANGED = "changed"
"""The name of the message, and of the DOM event, that lets parts of a page fetch themselves."""
_KEEP_ALIVE_SECONDS = 15.0
_SEQUENCE_DIGITS = 18


async def live_events(request: Request) -> EventStream:
    """Stream rows for the list: what came after the last one that the page has, then what comes."""
    services = services_of(request)
    query = parse_query(request.scope["query_string"], LiveQuery, strict=False)
    last = request.headers.get("last-event-id", "")
    after = query.after
    if last.isascii() and last.isdigit() and len(last) <= _SEQUENCE_DIGITS:
        after = int(last)
    # Subscribe before reading the store, so that nothing falls between the two.
    subscription = services.live.subscribe()
    return EventStream(_rows(services, subscription, query, after, request.state.token))


async def live_changes(request: Request) -> EventStream:
    """Stream the kind of whatever changed other than by an event: ``incident``, ``scan``."""
    services = services_of(request)
    return EventStream(_changes(services, services.live.subscribe(), request.state.token))


async def _rows(
    services: Services, subscription: Subscription, query: LiveQuery, after: int, token: str
) -> AsyncGenerator[bytes, None]:
    try:
        yield KEEP_ALIVE
        missed = await run_in_threadpool(_missed, services, query, after)
        newest = after
        for stored in missed:
            newest = stored.sequence
            yield _row(services, stored.event, newest)
        shown = {stored.sequence for stored in missed}
        async for notice in _notices(services, subscription, token):
            if notice is None:
                yield KEEP_ALIVE
            elif (event := _wanted(notice, query)) and notice.sequence > after:
                # Batches that are answered side by side may be published out of order.
                newest = max(newest, notice.sequence)
                if notice.sequence not in shown:
                    yield _row(services, event, newest)
    finally:
        subscription.close()


async def _changes(
    services: Services, subscription: Subscription, token: str
) -> AsyncGenerator[bytes, None]:
    try:
        yield KEEP_ALIVE
        async for notice in _notices(services, subscription, token):
            if notice is None:
                yield KEEP_ALIVE
            elif notice.kind != "event":
                yield encode_message(notice.kind, event=CHANGED)
    finally:
        subscription.close()


async def _notices(
    services: Services, subscription: Subscription, token: str
) -> AsyncGenerator[Notice | None, None]:
    """Yield notices, and None after a quiet while, until the feed ends or the session does."""
    while services.sessions.get(token, touch=False) is not None:
        try:
            async with asyncio.timeout(_KEEP_ALIVE_SECONDS):
                notice = await anext(subscription)
        except TimeoutError:
            yield None
        except StopAsyncIteration:
            return
        else:
            # The wait may have been long: look again before anything is told.
            if services.sessions.get(token, touch=False) is None:
                return
            yield notice


def _missed(services: Services, query: LiveQuery, after: int) -> list[StoredEvent]:
    """Return the newest stored events after `after`, oldest first."""
    found = services.store.events.list(subject=query.subject, effect=query.effect, limit=BACKLOG)
    return [stored for stored in reversed(found) if stored.sequence > after]


def _wanted(notice: Notice, query: LiveQuery) -> Event | None:
    event = notice.data
    if notice.kind != "event" or not isinstance(event, Event):
        return None
    if query.effect not in (None, event.effect) or query.subject not in ("", event.subject):
        return None
    return event


def _row(services: Services, event: Event, newest: int) -> bytes:
    """Return the row of `event`; the page resumes after `newest`, whatever row came last."""
    row = services.pages.fragment("parts/events.html", "event_row", event)
    return encode_message(row, id=newest)
