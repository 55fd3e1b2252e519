"""The live stream: what a follower gets, from where on, and what it costs to be one."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import msgspec
import pytest

from tams_common.events import Envelope
from tams_common.http.app import ServiceApp
from tams_common.http.message import Request, close_body
from tams_common.ids import EventId, FlowId, new_id
from tams_common.store import Reader
from tams_webhooks import stream as stream_module
from tams_webhooks.log import append
from tams_webhooks.stream import BYTES, EventStream, Filter, Stretch
from tams_webhooks.tables import EVENT_LOG, THE_LOG
from tams_webhooks.window import Window
from tests.common.eventually import eventually
from tests.common.http_client import Client
from tests.webhooks.following import Follower
from tests.webhooks.rig import (
    CONFIG,
    FLOW,
    OTHER_FLOW,
    SOURCE,
    Rig,
    flow_event,
    running,
    segments_event,
    source_event,
)


@pytest.fixture
async def rig() -> AsyncIterator[Rig]:
    """A service whose log already has two events."""
    async with running() as rig, rig.started():
        await log(rig, flow_event(label="first"), source_event())
        yield rig


async def log(rig: Rig, *events: Envelope) -> None:
    """Appends to the log as the subscription does."""
    for event in events:
        await rig.store.run(lambda tx: append(tx, event, at=rig.clock()))  # noqa: B023


@asynccontextmanager
async def following(rig: Rig, query: str = "", *, headers: Mapping[str, str] | None = None) -> AsyncIterator[Follower]:
    """A follower of `/events`."""
    response = await ServiceApp(rig.built.routes)(Request("GET", "/events", query=query, headers=headers))
    assert response.status == 200, response.body
    assert response.headers == {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    assert not isinstance(response.body, bytes)
    try:
        yield Follower(aiter(response.body))
    finally:
        await close_body(response.body)


async def open_streams(rig: Rig) -> float | None:
    return rig.parts.registry.get_sample_value("tams_event_streams")


async def test_a_follower_begins_at_the_end_and_gets_what_comes(rig: Rig) -> None:
    async with following(rig) as follower:
        assert (await follower.hello()).number == 2
        coming = asyncio.create_task(follower.event())
        event = flow_event(label="now")
        await rig.publish(event)
        sent = await coming
        assert (sent.number, sent.event, sent.data) == (3, "flows/updated", event.value.decode())


@pytest.mark.parametrize(
    ("query", "headers", "begin"),
    [
        ("last_event_id=0", {}, 0),
        ("last_event_id=1", {}, 1),
        ("last_event_id=2", {}, 2),
        ("", {"last-event-id": "1"}, 1),
        ("last_event_id=2", {"last-event-id": "0"}, 0),
    ],
)
async def test_a_follower_goes_on_where_it_was(rig: Rig, query: str, headers: dict[str, str], begin: int) -> None:
    await log(rig, flow_event(label="last"))
    async with following(rig, query, headers=headers) as follower:
        assert (await follower.hello()).number == begin
        sent = await follower.events(3 - begin)
        assert [event.number for event in sent] == list(range(begin + 1, 4))


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ("", [1, 2, 3, 4, 5]),
        ("type=flows/updated", [1, 4]),
        ("type=sources/updated,flows/segments_added", [2, 3, 5]),
        (f"flow_id={FLOW}", [1, 3]),
        (f"flow_id={FLOW},{OTHER_FLOW}", [1, 3, 4, 5]),
        (f"source_id={SOURCE}", [1, 2, 3, 4, 5]),
        (f"source_id={OTHER_FLOW}", []),
        (f"source_id={SOURCE}&type=sources/updated", [2]),
        (f"flow_id={OTHER_FLOW}&type=flows/segments_added", [5]),
        (f"flow_id={OTHER_FLOW}&type=sources/updated", []),
    ],
)
async def test_filters_are_all_necessary(rig: Rig, query: str, numbers: list[int]) -> None:
    await log(rig, segments_event(b"{}"), flow_event(OTHER_FLOW), segments_event(b"{}", flow_id=OTHER_FLOW))
    async with following(rig, f"last_event_id=0&{query}") as follower:
        assert [event.number for event in await follower.events(len(numbers))] == numbers


@pytest.mark.parametrize(
    ("query", "headers", "field"),
    [
        ("type=flows/renamed", {}, "type"),
        ("type=flows/updated,", {}, "type"),
        ("type=", {}, "type"),
        ("flow_id=1", {}, "flow_id"),
        ("flow_id=", {}, "flow_id"),
        (f"source_id={SOURCE}A", {}, "source_id"),
        ("last_event_id=x", {}, "last_event_id"),
        ("last_event_id=-1", {}, "last_event_id"),
        ("last_event_id=3", {}, "last_event_id"),
        ("", {"last-event-id": "1.5"}, "Last-Event-ID"),
        ("last_event_id=1", {"last-event-id": "99999999999999999999"}, "Last-Event-ID"),
        ("", {"last-event-id": "3"}, "Last-Event-ID"),
    ],
)
async def test_what_cannot_be_meant_is_refused(rig: Rig, query: str, headers: dict[str, str], field: str) -> None:
    answer = await Client(ServiceApp(rig.built.routes)).get(f"/events?{query}", headers=headers, expect=400)
    assert answer.json()["field"] == field
    assert await open_streams(rig) == 0


async def test_a_head_is_only_headers(rig: Rig) -> None:
    answer = await rig.client.head("/events")
    assert answer.headers["content-type"] == "text/event-stream"
    assert await open_streams(rig) == 0


async def test_too_many_followers_are_turned_away_until_one_goes() -> None:
    async with running(msgspec.structs.replace(CONFIG, followers=2)) as rig, rig.started(), following(rig) as first:
        await first.hello()
        async with following(rig) as second:
            await second.hello()
            answer = await rig.client.get("/events", expect=503)
            assert int(answer.headers["retry-after"]) > 0
        async with following(rig) as another:
            await another.hello()


async def test_a_client_that_goes_frees_what_its_stream_held(rig: Rig) -> None:
    async with following(rig) as follower:
        await follower.hello()
        assert await open_streams(rig) == 1
        waiting = asyncio.create_task(follower.event())
        async with following(rig) as other:
            await other.hello()
            assert await open_streams(rig) == 2
        assert await open_streams(rig) == 1
        waiting.cancel()
        await asyncio.wait([waiting])
    assert await open_streams(rig) == 0


async def test_an_event_is_one_line(rig: Rig) -> None:
    event = msgspec.structs.replace(flow_event(), value=b'{"event":\r\n{"label":"a\\nb"}}')
    await log(rig, event)
    async with following(rig, "last_event_id=2") as follower:
        assert (await follower.event()).json() == {"event": {"label": "a\nb"}}


async def prune(rig: Rig, hours: int) -> None:
    """Lets time pass, with an event at the end that is not too old."""
    rig.clock.advance(seconds=hours * 3600)
    await log(rig, flow_event(label="young"))


async def gone(rig: Rig, number: int) -> bool:
    return await rig.store.read(lambda tx: tx.get(EVENT_LOG, (THE_LOG, number))) is None


async def test_a_follower_is_told_what_it_missed() -> None:
    config = msgspec.structs.replace(CONFIG, log_hours=1)
    async with running(config) as rig:
        await log(rig, *(flow_event() for _ in range(5)))
        await prune(rig, 2)
        async with rig.started():
            await eventually(lambda: gone(rig, 5))
            async with following(rig, "last_event_id=2") as follower:
                gap, event = await follower.events(2)
                assert (gap.event, gap.number, gap.json()) == ("gap", 5, {"skipped": 3})
                assert (event.event, event.number) == ("flows/updated", 6)
            async with following(rig, f"last_event_id=2&flow_id={OTHER_FLOW}") as follower:
                assert (await follower.event()).json() == {"skipped": 3}
            async with following(rig, "last_event_id=5") as follower:
                assert (await follower.event()).number == 6


async def test_a_quiet_stream_has_a_heartbeat_that_carries_where_it_is() -> None:
    config = msgspec.structs.replace(CONFIG, heartbeat=0.02)
    async with running(config) as rig, rig.started(), following(rig, f"flow_id={OTHER_FLOW}") as follower:
        assert (await follower.hello()).number == 0
        block = await follower.block()
        assert block is not None
        assert (block.comment, block.id) == ("heartbeat", "")
        await log(rig, flow_event(), flow_event())
        while (block := await follower.block()) and not block.id:
            assert block.comment == "heartbeat"
        assert block is not None
        assert block.number in (1, 2)
        assert (block.event, block.data) == ("", "")


async def test_events_that_no_filter_lets_pass_do_not_silence_the_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "SPAN", 1)
    async with running(msgspec.structs.replace(CONFIG, heartbeat=0.0001)) as rig:
        await log(rig, *(flow_event() for _ in range(30)))
        async with following(rig, "last_event_id=0&type=sources/updated") as follower:
            await follower.hello()
            block = await follower.block()
            assert block is not None
            assert block.number < 30


async def test_a_slow_reader_is_read_for_only_as_fast_as_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    reads: list[int] = []
    read_stretch = stream_module.read_stretch

    def noted(reader: Reader, wanted: Filter, *, after: int) -> Stretch:
        reads.append(after)
        return read_stretch(reader, wanted, after=after)

    monkeypatch.setattr(stream_module, "read_stretch", noted)
    async with running() as rig:
        stream = EventStream(rig.store, Window(rig.store, sweep=1.0), config=CONFIG, registry=rig.parts.registry)
        large = flow_event(label="x" * 90_000)
        await log(rig, *(msgspec.structs.replace(large, id=EventId(new_id())) for _ in range(12)))
        parts = stream.follow(Filter(), after=0)
        await anext(parts)
        assert reads == []
        sizes = [len(await anext(parts)) for _ in range(6)]
        assert max(sizes) < BYTES + 1000
        assert reads == [0, 2, 4, 6, 8, 10]
        await parts.aclose()


async def test_a_single_event_larger_than_a_part_comes_through(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "BYTES", 1)
    async with following(rig, "last_event_id=0") as follower:
        assert [event.number for event in await follower.events(2)] == [1, 2]


async def test_steps_through_the_log_meet_every_event(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "SPAN", 7)
    monkeypatch.setattr(stream_module, "ROWS", 3)
    flows = [FlowId(f"10000000-0000-4000-8000-00000000{n % 4:04}") for n in range(50)]
    await log(rig, *(flow_event(flow) for flow in flows))
    async with following(rig, f"last_event_id=2&flow_id={flows[1]},{flows[2]}") as follower:
        sent = await follower.events(25)
        assert [event.number for event in sent] == [n + 3 for n in range(50) if n % 4 in (1, 2)]


async def test_an_outage_of_the_tables_does_not_end_a_stream(tmp_path: Path) -> None:
    async with running(directory=tmp_path) as rig, rig.started(), following(rig) as follower:
        await follower.hello()
        await rig.store.close()
        coming = asyncio.create_task(follower.event())
        await rig.client.get("/events", expect=503)
        await rig.store.open()
        await log(rig, flow_event())
        assert (await coming).number == 1
