"""The outbox and its relay: nothing lost, nothing invented, the order of each key."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from tams_common.bus import Message
from tams_common.bus.backoff import Backoff
from tams_common.clock import ManualClock
from tams_common.errors import Conflict, Unavailable
from tams_common.events import EVENT_LIMIT, Subject, flow_created, flow_deleted, segments_added, source_created
from tams_common.ids import FlowId, SourceId, new_id
from tams_common.outbox import DEFAULTS, OUTBOX, Relay, RelaySettings, stage
from tams_common.store import Query, Tx
from tests.common.bus.faulty import FaultyBus
from tests.common.eventually import eventually
from tests.common.ledger import Ledger, opened, running, steps_of

NEVER = 3600.0
SUBJECT = Subject(flow_id=FlowId("f"), source_id=SourceId("s"))


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest_asyncio.fixture
async def ledger(clock: ManualClock) -> AsyncIterator[Ledger]:
    async with opened(None, clock=clock) as ledger:
        yield ledger


def relay_of(ledger: Ledger, bus: FaultyBus | None = None, *, settings: RelaySettings = DEFAULTS) -> Relay:
    return Relay(ledger.store, bus or ledger.bus, clock=ledger.clock, new_id=new_id, settings=settings)


async def nothing_waits(ledger: Ledger) -> bool:
    return await ledger.waiting() == 0


class Down:
    """Lets nothing out while `is_down`; counts how often it was tried."""

    def __init__(self) -> None:
        self.is_down = True
        self.tries = 0

    async def before(self, messages: Sequence[Message]) -> Sequence[Message]:
        self.tries += 1
        if self.is_down:
            raise Unavailable("the bus is down")
        return messages


async def test_staged_events_have_rising_moments_and_keep_all_they_carry(ledger: Ledger) -> None:
    segments = [b'"%s"' % (b"x" * (EVENT_LIMIT // 2))] * 3
    drafts = [flow_created(b"{}", SUBJECT), *segments_added(segments, SUBJECT), source_created(b"{}", SUBJECT)]
    last = await ledger.store.run(lambda tx: stage(tx, drafts, at=1000, new_id=new_id))
    assert last == 1000 + len(drafts) - 1
    rows = await ledger.store.read(lambda tx: tx.scan(OUTBOX, Query()).rows)
    assert [(row.at, row.type) for row in rows] == [(1000 + n, draft.type) for n, draft in enumerate(drafts)]
    assert len({row.id for row in rows}) == len(rows)
    assert await relay_of(ledger).sweep()
    reader = await ledger.published(3)
    assert [(record.id, record.key, record.value) for record in reader.records] == [
        (row.id, row.key, row.value) for row in rows[1:4]
    ]
    assert [record.headers["ce_at"] for record in reader.records] == ["1001", "1002", "1003"]


async def test_staging_nothing_stages_nothing(ledger: Ledger) -> None:
    assert await ledger.store.run(lambda tx: stage(tx, [], at=7, new_id=new_id)) == 7
    assert not await relay_of(ledger).sweep()


async def test_an_event_exists_if_and_only_if_its_change_does(ledger: Ledger) -> None:
    def change(tx: Tx) -> None:
        stage(tx, [flow_deleted(SUBJECT)], at=1, new_id=new_id)
        raise Conflict("lost")

    with pytest.raises(Conflict):
        await ledger.store.run(change)
    assert await ledger.waiting() == 0


async def test_a_prompt_is_enough(ledger: Ledger) -> None:
    relay = relay_of(ledger, settings=RelaySettings(sweep=NEVER))
    async with running(relay.run):
        for number in range(5):
            await ledger.step()
            relay.prompt()
            await ledger.published(number + 1)
        await eventually(lambda: nothing_waits(ledger))


def test_a_relay_rests_for_a_share_of_its_own_work() -> None:
    settings = RelaySettings(spare=4.0, linger=0.1)
    assert settings.rest(0.005) == pytest.approx(0.02)
    assert settings.rest(10.0) == 0.1
    assert RelaySettings(linger=0.0).rest(1.0) == 0.0


async def test_a_prompt_is_not_needed(ledger: Ledger) -> None:
    async with running(relay_of(ledger, settings=RelaySettings(sweep=0.01)).run):
        await ledger.step()
        await ledger.published(1)


async def test_an_event_that_commits_late_is_not_passed_over(ledger: Ledger, clock: ManualClock) -> None:
    relay = relay_of(ledger)
    await ledger.step("a")
    assert await relay.sweep()
    clock.now -= 60 * 10**9
    await ledger.step("b")
    assert await relay.sweep()
    assert steps_of(await ledger.published(2), "b") == [1]


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (RelaySettings(batch_rows=10), [10, 10, 5]),
        (RelaySettings(batch_rows=3), [3] * 8 + [1]),
        (RelaySettings(batch_bytes=1), [1] * 25),
        (RelaySettings(), [25]),
    ],
)
async def test_batches_are_bounded(ledger: Ledger, settings: RelaySettings, expected: list[int]) -> None:
    sizes: list[int] = []

    async def note(messages: Sequence[Message]) -> Sequence[Message]:
        sizes.append(len(messages))
        return messages

    for _ in range(25):
        await ledger.step()
    relay = relay_of(ledger, FaultyBus(ledger.bus, before=note), settings=settings)
    while await relay.sweep():
        pass
    assert sizes == expected
    assert steps_of(await ledger.published(25)) == list(range(1, 26))


async def test_after_a_failure_nothing_of_its_key_goes_out_before_what_failed(ledger: Ledger) -> None:
    async def two(messages: Sequence[Message]) -> Sequence[Message]:
        return messages[:2]

    for _ in range(5):
        await ledger.step()
    relay = relay_of(ledger, FaultyBus(ledger.bus, before=two))
    async with running(relay.run):
        await eventually(lambda: nothing_waits(ledger))
    reader = await ledger.published(5)
    assert steps_of(reader) == [1, 2, 3, 4, 5]
    assert len(reader.records) == 5, "what was acknowledged is not published again"


class Partial:
    """Takes nothing of the `refused` keys."""

    def __init__(self, *refused: str) -> None:
        self.refused = set(refused)
        self.asked = 0

    async def before(self, messages: Sequence[Message]) -> Sequence[Message]:
        taken = [message for message in messages if message.key not in self.refused]
        self.asked += len(messages) - len(taken)
        if not taken:
            raise Unavailable("the bus took nothing")
        return taken


@pytest.mark.parametrize("settings", [RelaySettings(sweep=0.01), RelaySettings(sweep=0.01, batch_rows=4)])
async def test_what_the_bus_refuses_of_one_key_stops_no_other(ledger: Ledger, settings: RelaySettings) -> None:
    bus = Partial("a", "b")
    for _ in range(20):
        await ledger.step("a")
    for _ in range(20):
        for name in ("b", "c", "d"):
            await ledger.step(name)
    relay = relay_of(ledger, FaultyBus(ledger.bus, before=bus.before), settings=settings)
    async with running(relay.run):
        await eventually(lambda: as_many_wait(ledger, 40))
        await ledger.step("c")
        await ledger.step("a")
        await eventually(lambda: as_many_wait(ledger, 41))
        bus.refused.clear()
        await eventually(lambda: nothing_waits(ledger))
    reader = await ledger.published(82)
    assert len(reader.records) == 82, "nothing came twice"
    for name, count in (("a", 21), ("b", 20), ("c", 21), ("d", 20)):
        assert steps_of(reader, name) == list(range(1, count + 1))


async def as_many_wait(ledger: Ledger, count: int) -> bool:
    return await ledger.waiting() == count


async def test_a_relay_that_is_stopped_before_it_has_removed_what_it_sent_sends_it_once(ledger: Ledger) -> None:
    relay = relay_of(ledger, settings=RelaySettings(sweep=NEVER, spare=1e9, linger=NEVER))
    async with running(relay.run):
        await ledger.step()
        relay.prompt()
        await eventually(lambda: nothing_waits(ledger))
        await ledger.step()
        relay.prompt()
        await ledger.published(2)
        assert await ledger.waiting() == 1
    assert await ledger.waiting() == 0
    assert len((await ledger.published(2)).records) == 2


async def test_an_outage_keeps_everything_in_order_and_is_not_hammered(ledger: Ledger) -> None:
    down = Down()
    relay = relay_of(ledger, FaultyBus(ledger.bus, before=down.before))
    async with running(relay.run):
        for _ in range(200):
            await ledger.step()
            relay.prompt()
        await eventually(lambda: down.tries > 1)
        assert down.tries < 100, "prompts do not cut the back-off short"
        assert await ledger.waiting() == 200
        down.is_down = False
        reader = await ledger.published(200)
    assert steps_of(reader) == list(range(1, 201))


async def test_what_is_left_goes_out_when_the_service_stops(ledger: Ledger) -> None:
    relay = relay_of(ledger, settings=RelaySettings(sweep=NEVER))
    async with running(relay.run):
        await asyncio.sleep(0)
        for _ in range(5):
            await ledger.step()
    assert await ledger.waiting() == 0
    await ledger.step()
    assert await relay_of(ledger).sweep(), "the lease was given back"
    assert steps_of(await ledger.published(6)) == [1, 2, 3, 4, 5, 6]


async def test_a_prompt_does_not_drown_the_end(ledger: Ledger) -> None:
    relay = relay_of(ledger, settings=RelaySettings(sweep=NEVER))
    for turns in range(20):
        task = asyncio.create_task(relay.run())
        await ledger.waiting()
        for _ in range(turns):
            await asyncio.sleep(0)
        relay.prompt()
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()


async def test_stopping_does_not_wait_for_a_bus_that_is_down(ledger: Ledger) -> None:
    relay = relay_of(ledger, FaultyBus(ledger.bus, before=Down().before), settings=RelaySettings(sweep=NEVER))
    await ledger.step()
    async with running(relay.run):
        await asyncio.sleep(0)
    assert await ledger.waiting() == 1


async def test_one_relay_drains_an_outbox_at_a_time(ledger: Ledger, clock: ManualClock) -> None:
    first, second = relay_of(ledger), relay_of(ledger)
    await ledger.step()
    assert await first.sweep()
    await ledger.step()
    assert not await second.sweep()
    clock.advance(seconds=11)
    assert await second.sweep()
    await ledger.step()
    assert not await first.sweep()
    assert await second.sweep()
    assert steps_of(await ledger.published(3)) == [1, 2, 3]


async def test_working_keeps_the_lease(ledger: Ledger, clock: ManualClock) -> None:
    first, second = relay_of(ledger), relay_of(ledger)
    for _ in range(10):
        await ledger.step()
        clock.advance(seconds=4)
        assert await first.sweep()
        await ledger.step()
        assert not await second.sweep()


async def test_a_relay_that_lost_its_lease_removes_nothing(ledger: Ledger, clock: ManualClock) -> None:
    asleep, awake = asyncio.Event(), asyncio.Event()

    async def sleep(messages: Sequence[Message]) -> Sequence[Message]:
        asleep.set()
        await awake.wait()
        return messages

    zombie, living = relay_of(ledger, FaultyBus(ledger.bus, before=sleep)), relay_of(ledger)
    await ledger.step()
    sweeping = asyncio.create_task(zombie.sweep())
    await asleep.wait()
    clock.advance(seconds=11)
    await ledger.step()
    assert await living.sweep()
    await ledger.step()
    awake.set()
    await sweeping
    assert await ledger.waiting() == 1
    assert not await zombie.sweep()
    assert await living.sweep()
    reader = await ledger.published(3)
    assert steps_of(reader) == [1, 2, 3]
    assert len(reader.records) == 4, "the zombie's event is there twice, with one id"


def test_delays_double_up_to_a_limit_and_are_never_in_step() -> None:
    longest = Backoff(1, 8, draw=lambda: 1.0)
    assert [longest.next() for _ in range(5)] == [1, 2, 4, 8, 8]
    longest.reset()
    assert longest.next() == 1
    shortest = Backoff(1, 8, draw=lambda: 0.0)
    assert [shortest.next() for _ in range(5)] == [0.5, 1, 2, 4, 4]


async def test_a_clock_that_is_set_back_stops_neither_a_relay_nor_its_heir(ledger: Ledger, clock: ManualClock) -> None:
    settings = RelaySettings(sweep=0.01, lease=0.1)
    await ledger.step()
    dead = relay_of(ledger, settings=settings)
    assert await dead.sweep()
    clock.advance(seconds=-3600)
    await ledger.step()
    assert await dead.sweep(), "it lives, and goes on"
    clock.advance(seconds=-3600)
    await ledger.step()
    async with running(relay_of(ledger, settings=settings).run):
        await eventually(lambda: nothing_waits(ledger))
    assert steps_of(await ledger.published(3)) == [1, 2, 3]
