"""The event log: numbers in the order of commits, whoever appends; and the window that wakes those who wait."""

import asyncio
import threading
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec import Struct

from tams_common.bus import Message
from tams_common.bus.cloudevents import to_message
from tams_common.config import Common, read
from tams_common.events import SEGMENTS
from tams_common.runtime import wiring
from tams_common.store import Query, Store, Tx, eq
from tams_webhooks.log import append, head_of, newest
from tams_webhooks.tables import EVENT_LOG, TABLES, THE_LOG, LogRow
from tams_webhooks.window import Window
from tests import vast
from tests.common.child import Child, child
from tests.common.eventually import eventually
from tests.common.ledger import running as beside
from tests.webhooks.rig import flow_event, running, segments_event, source_event
from tests.webhooks.words import attempted


class Place(Struct, frozen=True):
    """Where a log lies. With `queues` a writer begins when the one before it has committed; without, both begin, and
    the later commit is made again."""

    environ: Mapping[str, str]
    queues: bool

    async def open(self, stack: AsyncExitStack) -> Store:
        """One more store with the same tables."""
        store = wiring.make_store(read(Common, "TAMS_", environ=self.environ), "webhooks", tables=TABLES)
        await store.open()
        stack.push_async_callback(store.close)
        await store.migrate()
        return store


@pytest.fixture(params=["sqlite", "vast"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":
        return Place({"TAMS_STORE_URL": f"sqlite:{tmp_path}"}, queues=True)
    vast.give_the_sdk_random_numbers()
    return Place((vast.cluster() or vast.emulator()).environ(vast.new_schema()), queues=False)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack


async def rows_of(store: Store, *, after: int = 0) -> list[LogRow]:
    query = Query(where=(eq("log", THE_LOG),), after=(THE_LOG, after))
    return await store.read(lambda tx: tx.scan(EVENT_LOG, query).rows)


async def numbers_of(store: Store) -> list[int]:
    return [row.number for row in await rows_of(store)]


class Slow:
    """An appender that stops before its commit until it is let go."""

    def __init__(self) -> None:
        self.stopped, self.go = threading.Event(), threading.Event()

    def append(self, tx: Tx) -> int:
        number = append(tx, flow_event(label="slow"), at=1)
        self.stopped.set()
        self.go.wait()
        return number


async def test_commit_order_is_number_order_when_one_appender_sleeps(place: Place, stack: AsyncExitStack) -> None:
    first, second = await place.open(stack), await place.open(stack)
    slow = Slow()
    sleeping = asyncio.create_task(first.run(slow.append))
    await asyncio.to_thread(slow.stopped.wait)
    quick = asyncio.create_task(second.run(lambda tx: append(tx, flow_event(label="quick"), at=2)))
    if place.queues:
        assert await numbers_of(second) == []
        slow.go.set()
        assert (await sleeping, await quick) == (1, 2)
    else:
        assert await quick == 1
        assert await numbers_of(second) == [1]
        slow.go.set()
        assert await sleeping == 2
    rows = await rows_of(second)
    assert [row.number for row in rows] == [1, 2]
    assert [b'"slow"' in row.value for row in rows] == [place.queues, not place.queues]


async def told(appender: Child) -> list[int]:
    numbers = []
    while line := await appender.tell():
        numbers.append(int(line))
    return numbers


async def test_a_reader_beside_two_processes_never_sees_a_smaller_number_later(
    place: Place, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await place.open(stack)
    for key, value in place.environ.items():
        monkeypatch.setenv(key, value)
    count = 40 if place.queues else 12
    seen: list[int] = []
    async with (
        child("tests.webhooks.log_child", "a", str(count)) as a,
        child("tests.webhooks.log_child", "b", str(count)) as b,
        asyncio.TaskGroup() as group,
    ):
        appended = [group.create_task(told(a)), group.create_task(told(b))]
        while len(seen) < 2 * count:
            rows = await rows_of(store)
            assert [row.number for row in rows[: len(seen)]] == seen
            seen = [row.number for row in rows]
            assert seen == list(range(1, len(seen) + 1))
    assert sorted(appended[0].result() + appended[1].result()) == seen
    assert all(task.result() == sorted(task.result()) for task in appended)
    assert len({row.id for row in await rows_of(store)}) == 2 * count


async def test_every_event_comes_into_the_log_once_with_all_that_filters_need() -> None:
    flow, source, segments = flow_event(at=1), source_event(at=2), segments_event(b'{"object_id":"o"}', at=3)
    async with running() as rig:
        await rig.publish(flow, flow, source)
        await rig.publish(segments, source)
        async with rig.started():
            rows = await eventually(lambda: rows_by_type(rig.store, 3))
            assert {row.id for row in rows} == {flow.id, source.id, segments.id}
            row = next(row for row in rows if row.id == segments.id)
            assert (row.type, row.key, row.flow_id) == ("flows/segments_added", segments.flow_id, segments.flow_id)
            assert (row.source_id, row.value, row.size) == (segments.source_id, segments.value, len(segments.value))
            assert (row.at, row.appended) == (3, rig.clock())
            await rig.publish(flow, source_event(at=9))
            assert [row.number for row in await eventually(lambda: rows_by_type(rig.store, 4))] == [1, 2, 3, 4]


async def rows_by_type(store: Store, count: int) -> list[LogRow]:
    rows = await rows_of(store)
    return rows if len(rows) == count else []


async def test_what_is_no_event_of_ours_is_set_aside() -> None:
    async with running() as rig:
        naked = Message(topic=SEGMENTS, key="a", id="naked", value=b"{}")
        strange = to_message(segments_event(b"{}"))
        strange.headers["ce_type"] = "flows/renamed"
        nonsense = Message(topic=SEGMENTS, key="a", id="nonsense", value=b"{}", headers=strange.headers)
        await rig.bus.publish([naked, nonsense])
        await rig.publish(segments_event(b"{}"))
        async with rig.started():
            assert await eventually(lambda: rows_by_type(rig.store, 1))


@pytest.mark.parametrize(
    "headers",
    [
        {"ce_type": "flows/segments_added"},
        {"ce_type": "flows/updated\n\ndata: {}"},
        {"ce_at": "9" * 19},
        {"ce_at": "9" * 5000},
        {"ce_flowid": "x" * 200_000},
        {"ce_flowcollectedby": "x" * 200_000},
    ],
)
async def test_an_event_whose_headers_tell_something_else_is_set_aside(headers: Mapping[str, str]) -> None:
    """What cannot be stored or delivered would stop the process, again and again; and browsers are told the type."""
    async with running() as rig:
        hook = rig.receiver.at("/hook")
        webhook = await rig.register(hook.url)
        strange = to_message(flow_event())
        strange.headers.update(headers)
        await rig.bus.publish([strange])
        await rig.publish(flow_event(at=2))
        async with rig.started():
            await eventually(attempted(rig, webhook, count=1))
            assert len(hook.accepted) == 1
            assert await rows_by_type(rig.store, 1)
            assert [outcome for _, outcome in await rig.outcomes(webhook)] == ["delivered"]


async def test_the_window_wakes_who_waits_for_news_and_nobody_else() -> None:
    async with running() as rig:
        window = Window(rig.store, sweep=3600.0)
        await window.look()
        assert window.last == 0
        async with beside(window.run):
            third = asyncio.create_task(window.beyond(2))
            for number in (1, 2, 3):
                assert not third.done()
                await rig.store.run(lambda tx: append(tx, flow_event(), at=1))
                window.prompt()
                await window.beyond(number - 1)
                assert window.last == number
            await third
        assert await rig.store.read(newest) == 3


async def test_the_window_finds_by_itself_what_other_replicas_append() -> None:
    async with running() as rig:
        window = Window(rig.store, sweep=0.01)
        async with beside(window.run):
            await rig.store.run(lambda tx: append(tx, flow_event(), at=1))
            await window.beyond(0)


async def test_the_window_goes_on_after_an_outage(tmp_path: Path) -> None:
    async with running(directory=tmp_path) as rig:
        window = Window(rig.store, sweep=0.01)
        await rig.store.close()
        async with beside(window.run):
            waiting = asyncio.create_task(window.beyond(0))
            await rig.store.open()
            await rig.store.run(lambda tx: append(tx, flow_event(), at=1))
            await waiting


async def test_an_empty_log_has_a_head() -> None:
    async with running() as rig:
        head = await rig.store.read(head_of)
        assert (head.next, head.oldest, head.version) == (1, 1, 0)
        assert await rig.store.run(lambda tx: append(tx, flow_event(), at=5)) == 1
        head = await rig.store.read(head_of)
        assert (head.next, head.oldest) == (2, 1)
