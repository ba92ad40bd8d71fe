"""The live feed, and the streams that carry it to pages."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from server_samples import HOSTILE, event
from server_world import World

from keepwall.server.live import LiveFeed, Notice
from keepwall.server.session import IDLE
from keepwall.server.stream import encode_message
from keepwall.vocabulary.decision import Effect
from keepwall.vocabulary.errors import ConnectError


async def test_every_watcher_gets_everything_in_order() -> None:
    feed = LiveFeed()
    first, second = feed.subscribe(), feed.subscribe()
    for number in range(3):
        feed.publish("event", number, number)
    feed.close()
    for watcher in (first, second):
        assert [notice async for notice in watcher] == [Notice("event", n, n) for n in range(3)]
    assert feed.watchers == 0


async def test_a_slow_watcher_is_dropped_and_holds_nobody_up() -> None:
    feed = LiveFeed(buffer=4)
    slow, quick = feed.subscribe(), feed.subscribe()
    for number in range(20):
        feed.publish("event", number, number)
        assert (await anext(quick)).sequence == number
    assert slow.dropped
    assert [notice async for notice in slow] == []
    assert not quick.dropped
    assert feed.watchers == 1


async def test_a_full_buffer_still_ends_well() -> None:
    feed = LiveFeed(buffer=2)
    watcher = feed.subscribe()
    feed.publish("event", 1, None)
    feed.publish("event", 2, None)
    feed.close()
    assert [notice.sequence async for notice in watcher] == [1, 2]
    with pytest.raises(StopAsyncIteration):
        await asyncio.wait_for(anext(watcher), 1)


def test_there_are_only_so_many_watchers() -> None:
    feed = LiveFeed(watchers=2)
    feed.subscribe()
    second = feed.subscribe()
    with pytest.raises(ConnectError, match="too many live views"):
        feed.subscribe()
    second.close()
    feed.subscribe()


def test_no_text_can_end_a_message_or_start_a_field() -> None:
    wire = encode_message("a\r\nevent: forged\n\nid: 9\rdata: x", id=7).decode()
    assert wire.endswith("\n\n")
    assert "\r" not in wire
    fields = [line.partition(":")[0] for line in wire.strip().split("\n")]
    assert fields == ["id"] + ["data"] * 5


async def test_what_happens_shows_as_a_row(world: World) -> None:
    client = await world.signed_in()
    async with client.stream("/live/events?after=8") as stream:
        assert stream.status == 200
        world.live.publish("event", 9, event(50, target=HOSTILE))
        row = await stream.next()
    assert row.startswith("id: 9\ndata: <tr>")
    assert "&lt;img src=x" in row
    assert "<img" not in row
    assert "\x1b" not in row
    assert world.live.watchers == 0


async def test_a_page_that_comes_back_gets_what_it_missed_once(world: World) -> None:
    client = await world.signed_in()
    async with client.stream("/live/events?after=2", last_event_id="6") as stream:
        first, second = await stream.next(), await stream.next()
        world.live.publish("event", 8, event(7))  # was in what it missed
        world.live.publish("event", 9, event(50))
        third = await stream.next()
    assert [row.split("\n")[0] for row in (first, second, third)] == ["id: 7", "id: 8", "id: 9"]


async def test_rows_that_come_out_of_order_are_shown_and_never_resume_too_early(
    world: World,
) -> None:
    client = await world.signed_in()
    async with client.stream("/live/events?after=8") as stream:
        world.live.publish("event", 12, event(112))
        world.live.publish("event", 11, event(111))
        first, second = await stream.next(), await stream.next()
    assert "203.0.113.112" in first
    assert "203.0.113.111" in second
    assert [row.split("\n")[0] for row in (first, second)] == ["id: 12", "id: 12"]


async def test_the_filter_of_the_page_holds_for_its_stream(world: World) -> None:
    client = await world.signed_in()
    path = "/live/events?after=8&effect=deny&subject=other"
    async with client.stream(path) as stream:
        world.live.publish("event", 9, event(50, Effect.ALLOW, "other"))
        world.live.publish("event", 10, event(51, Effect.DENY, "else"))
        world.live.publish("event", 11, event(52, Effect.DENY, "other"))
        assert (await stream.next()).startswith("id: 11\n")


async def test_other_changes_are_told_by_name(world: World) -> None:
    client = await world.signed_in()
    async with client.stream("/live/changes") as stream:
        world.live.publish("event", 9, event(50))
        world.live.publish("incident", 0, "inc-1")
        assert await stream.next() == "event: changed\ndata: incident\n\n"


async def test_a_stream_ends_with_its_session(world: World) -> None:
    client = await world.signed_in()
    async with client.stream("/live/events?after=8") as stream:
        world.app.state.services.sessions.end(client.cookies["keepwall"])
        world.live.publish("event", 9, event(50))
        await asyncio.wait_for(stream.ended.wait(), 5)
        assert stream._chunks.qsize() <= 1  # the opening comment, but no row
    client = await world.signed_in()
    async with client.stream("/live/changes") as stream:
        world.clock.forward(IDLE + timedelta(seconds=1))  # watching alone is no use of a session
        world.live.publish("incident", 0, "inc-1")
        await asyncio.wait_for(stream.ended.wait(), 5)


async def test_a_stream_that_falls_behind_is_ended_so_that_the_page_resumes(world: World) -> None:
    client = await world.signed_in()
    async with client.stream("/live/events?after=8") as stream:
        await asyncio.sleep(0.2)
        for number in range(9, 30):  # more than the buffer of four, without a pause
            world.live.publish("event", number, event(number))
        await asyncio.wait_for(stream.ended.wait(), 5)


async def test_too_many_streams_are_refused_in_words(world: World) -> None:
    client = await world.signed_in()
    held = [world.live.subscribe() for _ in range(3)]
    answer = await client.get("/live/events")
    assert answer.status == 503
    assert "too many live views" in answer.text
    for each in held:
        each.close()
