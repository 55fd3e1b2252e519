"""The inbox: every event applied once, in order, whatever the bus repeats and whoever was taken for dead."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from tams_common.bus import Assigned, Consumer, Message, Offsets, Record, Topic
from tams_common.bus.cloudevents import to_message
from tams_common.bus.sqlite.log import GAP
from tams_common.clock import ManualClock
from tams_common.errors import InvalidInput, NotFound, Unavailable
from tams_common.events import SEGMENTS, Envelope, Subject, flow_deleted, segments_deleted
from tams_common.ids import EventId, FlowId, new_id
from tams_common.inbox import (
    DEFAULTS,
    INBOX,
    POSITIONS,
    Apply,
    Interest,
    Subscription,
    SubscriptionSettings,
    TooMuchPoison,
)
from tams_common.outbox import Relay
from tams_common.store import Query, Tx
from tests.common.bus.faulty import FaultyBus
from tests.common.eventually import eventually
from tests.common.ledger import Ledger, copy, number_of, opened, running

HOUR = 3600 * 10**9
DEAD = "tams.copy.dead"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest_asyncio.fixture
async def ledger(clock: ManualClock) -> AsyncIterator[Ledger]:
    async with opened(None, clock=clock) as ledger:
        yield ledger


def subscription_of(
    ledger: Ledger, apply: Apply = copy, *, bus: FaultyBus | None = None, settings: SubscriptionSettings = DEFAULTS
) -> Subscription:
    interest = Interest("tams.copy", (SEGMENTS,), apply)
    return Subscription(ledger.store, bus or ledger.bus, interest=interest, clock=ledger.clock, settings=settings)


def event(number: int, *, at: int | None = None, name: str = "a", id: str | None = None, floor: int = 0) -> Message:
    """Step `number` of a counter, as the relay would publish it."""
    draft = segments_deleted(str(number), Subject(flow_id=FlowId(name)))
    return to_message(draft.seal(id=EventId(id or f"{name}-{number}"), at=number if at is None else at), floor=floor)


def once(*numbers: int) -> list[tuple[int, int]]:
    return [(number, 1) for number in numbers]


async def has_copied(ledger: Ledger, count: int) -> bool:
    return len(await ledger.copied()) >= count


async def has_heard_of(ledger: Ledger, count: int) -> bool:
    return len(await ledger.store.read(lambda tx: tx.scan(INBOX, Query()).rows)) == count


async def dead_letters(ledger: Ledger, count: int) -> list[Record]:
    await ledger.bus.apply([Topic(DEAD)])
    return (await ledger.published(count, topic=DEAD)).records


async def test_events_are_applied_in_order_as_they_come(ledger: Ledger) -> None:
    relay = Relay(ledger.store, ledger.bus, clock=ledger.clock, new_id=new_id)
    async with running(relay.run), running(subscription_of(ledger).run):
        for number in range(1, 21):
            await ledger.step()
            relay.prompt()
            await eventually(lambda: has_copied(ledger, number))  # noqa: B023
    assert await ledger.copied() == once(*range(1, 21))


async def test_what_is_published_twice_is_applied_once(ledger: Ledger) -> None:
    await ledger.bus.publish([event(1), event(2), event(1), event(2), event(3)])
    async with running(subscription_of(ledger).run):
        await eventually(lambda: has_copied(ledger, 3))
        await ledger.bus.publish([event(2), event(3), event(4)])
        await eventually(lambda: has_copied(ledger, 4))
    assert await ledger.copied() == once(1, 2, 3, 4)


async def test_what_waits_for_hours_may_come_again_and_again_and_is_applied_once(ledger: Ledger) -> None:
    """A broker that takes events and does not acknowledge them: the relay has nothing else to do than to repeat."""
    waiting = [event(number, at=number * HOUR // 30, floor=HOUR // 30) for number in range(1, 101)]
    async with running(subscription_of(ledger).run):
        for _ in range(25):
            await ledger.bus.publish(waiting)
        await ledger.bus.publish([event(101, at=101 * HOUR // 30, floor=101 * HOUR // 30)])
        await eventually(lambda: has_copied(ledger, 101))
    assert await ledger.copied() == once(*range(1, 102))


async def test_of_what_comes_together_the_latest_of_each_key_may_be_enough(ledger: Ledger) -> None:
    applied: list[str] = []

    def note(tx: Tx, envelope: Envelope) -> None:
        if envelope.id == "b-9":
            raise InvalidInput("no number")
        applied.append(envelope.id)

    interest = Interest("tams.latest", (SEGMENTS,), note, latest_only=True)
    subscription = Subscription(ledger.store, ledger.bus, interest=interest, clock=ledger.clock)
    await ledger.bus.publish([event(1), event(7, name="b"), event(2), event(8, name="b"), event(9, name="b"), event(3)])
    async with running(subscription.run):
        await eventually(lambda: has_heard_of(ledger, 5))
        assert applied[-2:] == ["a-3", "b-8"]
        await ledger.bus.publish([event(2), event(4)])
        await eventually(lambda: has_heard_of(ledger, 6))
        assert applied[-1] == "a-4"


async def test_whoever_waits_for_effects_is_told_once_they_can_be_read(ledger: Ledger) -> None:
    told: list[int] = []

    def tell() -> None:
        reading.append(asyncio.create_task(note()))

    async def note() -> None:
        told.append(len(await ledger.copied()))

    reading: list[asyncio.Task[None]] = []
    interest = Interest("tams.copy", (SEGMENTS,), copy, applied=tell)
    subscription = Subscription(ledger.store, ledger.bus, interest=interest, clock=ledger.clock)
    async with running(subscription.run):
        for number in (1, 2, 3):
            await ledger.bus.publish([event(number)])
            await eventually(lambda: bool(told) and told[-1] == number)  # noqa: B023
    assert told == [1, 2, 3]


async def test_a_successor_goes_on_where_the_tables_say(ledger: Ledger) -> None:
    for first in range(1, 31, 10):
        await ledger.bus.publish([event(number) for number in range(first, first + 10)])
        async with running(subscription_of(ledger, settings=SubscriptionSettings(batch=3)).run):
            await eventually(lambda: has_copied(ledger, first + 9))  # noqa: B023
    assert await ledger.copied() == once(*range(1, 31))


class Sleepy:
    """A consumer that falls asleep between getting records and handing them over."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer = consumer
        self.asleep, self.awake = asyncio.Event(), asyncio.Event()
        self.polls = 0

    async def poll(self, *, limit: int, timeout: float) -> list[Record]:
        self.polls += 1
        records = await self._consumer.poll(limit=limit, timeout=timeout)
        self.asleep.set()
        await self.awake.wait()
        return records

    async def commit(self, offsets: Offsets) -> None:
        await self._consumer.commit(offsets)

    async def close(self) -> None:
        await self._consumer.close()


class SleepyBus(FaultyBus):
    """Its one consumer sleeps."""

    sleeper: Sleepy

    async def consumer(self, group: str, topics: Sequence[str], *, assigned: Assigned) -> Consumer:
        self.sleeper = Sleepy(await super().consumer(group, topics, assigned=assigned))
        return self.sleeper


async def test_a_zombie_applies_nothing_again(tmp_path: Path) -> None:
    later = ManualClock()
    later.advance(seconds=60)
    async with opened(tmp_path, clock=ManualClock()) as old, opened(tmp_path, clock=later) as new:
        await new.bus.publish([event(number) for number in range(1, 6)])
        bus = SleepyBus(old.bus)
        async with running(subscription_of(old, bus=bus, settings=SubscriptionSettings(batch=4)).run) as zombie:
            await eventually(lambda: hasattr(bus, "sleeper") and bus.sleeper.asleep.is_set())
            async with running(subscription_of(new, settings=SubscriptionSettings(batch=2)).run):
                await eventually(lambda: has_copied(new, 5))
                bus.sleeper.awake.set()
                await eventually(lambda: bus.sleeper.polls == 2)
                positions = await new.store.read(lambda tx: tx.scan(POSITIONS, Query()).rows)
                assert [row.next % GAP for row in positions] == [5], "it does not move back"
                await new.bus.publish([event(6)])
                await eventually(lambda: has_copied(new, 6))
            assert not zombie.done()
        assert await new.copied() == once(1, 2, 3, 4, 5, 6)


async def test_a_zombie_that_wakes_first_takes_nothing_away(tmp_path: Path) -> None:
    later = ManualClock()
    later.advance(seconds=60)
    async with opened(tmp_path, clock=ManualClock()) as old, opened(tmp_path, clock=later) as new:
        await new.bus.publish([event(number) for number in range(1, 6)])
        waking, staying = SleepyBus(old.bus), SleepyBus(new.bus)
        async with running(subscription_of(old, bus=waking, settings=SubscriptionSettings(batch=4)).run):
            await eventually(lambda: hasattr(waking, "sleeper") and waking.sleeper.asleep.is_set())
            async with running(subscription_of(new, bus=staying).run):
                await eventually(lambda: hasattr(staying, "sleeper") and staying.sleeper.asleep.is_set())
                waking.sleeper.awake.set()
                await eventually(lambda: has_copied(new, 4))
                staying.sleeper.awake.set()
                await eventually(lambda: has_copied(new, 5))
        assert await new.copied() == once(1, 2, 3, 4, 5)


async def test_poison_is_set_aside_and_the_rest_goes_on(ledger: Ledger) -> None:
    def picky(tx: Tx, envelope: Envelope) -> None:
        copy(tx, envelope)
        if number_of(envelope) == 2:
            raise InvalidInput("two is not a number")

    other = to_message(flow_deleted(Subject(flow_id=FlowId("a"))).seal(id=EventId("other"), at=5))
    other = msgspec.structs.replace(other, topic=SEGMENTS)
    naked = Message(topic=SEGMENTS, key="a", id="naked", value=b"{}")
    await ledger.bus.publish([event(1), event(2), naked, event(3), other, event(4)])
    async with running(subscription_of(ledger, picky).run):
        await eventually(lambda: has_copied(ledger, 3))
    assert await ledger.copied() == once(1, 3, 4)
    dead = {record.id: record for record in await dead_letters(ledger, 3)}
    assert set(dead) == {"a-2", "naked", "other"}
    assert dead["a-2"].value == event(2).value
    assert dead["a-2"].headers["ce_type"] == "flows/segments_deleted"
    assert dead["a-2"].headers["dead_topic"] == SEGMENTS
    assert (dead["a-2"].headers["dead_partition"], dead["a-2"].headers["dead_offset"]) == ("0", "1")
    assert dead["a-2"].headers["dead_reason"] == "two is not a number"
    assert "ce_at" in dead["naked"].headers["dead_reason"]


async def test_too_much_poison_stops_the_process(ledger: Ledger) -> None:
    def refuse(tx: Tx, envelope: Envelope) -> None:
        raise InvalidInput("never")

    await ledger.bus.publish([event(number) for number in range(1, 6)])
    subscription = subscription_of(ledger, refuse, settings=SubscriptionSettings(dead_limit=3))
    with pytest.raises(TooMuchPoison, match="a-4"):
        await subscription.run()
    assert [record.id for record in await dead_letters(ledger, 3)] == ["a-1", "a-2", "a-3"]
    async with running(subscription_of(ledger).run):
        await eventually(lambda: has_copied(ledger, 5))
    assert await ledger.copied() == once(1, 2, 3, 4, 5), "nothing was passed over"


async def test_a_little_poison_every_hour_is_borne(ledger: Ledger, clock: ManualClock) -> None:
    def refuse(tx: Tx, envelope: Envelope) -> None:
        clock.advance(ns=HOUR)
        raise InvalidInput("never")

    await ledger.bus.publish([event(number) for number in range(1, 6)])
    async with running(subscription_of(ledger, refuse, settings=SubscriptionSettings(dead_limit=1)).run):
        assert len(await dead_letters(ledger, 5)) == 5


async def test_any_other_failure_stops_the_process_and_applies_nothing(ledger: Ledger) -> None:
    def fail(tx: Tx, envelope: Envelope) -> None:
        copy(tx, envelope)
        if number_of(envelope) == 3:
            raise NotFound("a mistake in the program")

    await ledger.bus.publish([event(number) for number in range(1, 6)])
    with pytest.raises(NotFound):
        await subscription_of(ledger, fail).run()
    assert await ledger.copied() == []
    async with running(subscription_of(ledger).run):
        await eventually(lambda: has_copied(ledger, 5))
    assert await ledger.copied() == once(1, 2, 3, 4, 5)


async def test_what_is_unavailable_is_waited_for(ledger: Ledger) -> None:
    failures = [Unavailable("down"), Unavailable("still down")]

    def shy(tx: Tx, envelope: Envelope) -> None:
        if failures:
            raise failures.pop()
        copy(tx, envelope)

    await ledger.bus.publish([event(1), event(2)])
    async with running(subscription_of(ledger, shy).run):
        await eventually(lambda: has_copied(ledger, 2))
    assert await ledger.copied() == once(1, 2)


async def test_poison_waits_for_a_bus_that_does_not_take_it(ledger: Ledger) -> None:
    failures = [1, 2]

    async def refuse(messages: Sequence[Message]) -> Sequence[Message]:
        return [] if failures and failures.pop() else messages

    naked = Message(topic=SEGMENTS, key="a", id="naked", value=b"{}")
    await ledger.bus.publish([naked, event(1)])
    bus = FaultyBus(ledger.bus, before=refuse)
    async with running(subscription_of(ledger, bus=bus).run):
        await eventually(lambda: has_copied(ledger, 1))
    assert [record.id for record in await dead_letters(ledger, 1)] == ["naked"]


async def test_old_ids_are_forgotten_in_the_events_own_time(ledger: Ledger) -> None:
    old = [event(number) for number in range(1, 1501)]
    new = [event(number, at=2 * HOUR + number) for number in range(1501, 3001)]
    quiet: list[int] = []

    def listen(tx: Tx, envelope: Envelope) -> None:
        quiet.append(number_of(envelope))

    async with running(subscription_of(ledger, listen).run):
        await ledger.bus.publish(old)
        await eventually(lambda: len(quiet) == 1500)
        await ledger.bus.publish(new)
        await eventually(lambda: len(quiet) == 3000)
        await ledger.bus.publish([event(3001, at=2 * HOUR + 3001)])
        await eventually(lambda: len(quiet) == 3001)
    kept = await ledger.store.read(lambda tx: tx.scan(INBOX, Query()).rows)
    assert {row.at for row in kept} >= {2 * HOUR + number for number in range(1501, 3001)}
    assert len(kept) < 2000


async def test_groups_on_one_store_are_apart(ledger: Ledger) -> None:
    heard: dict[str, list[int]] = {"one": [], "two": []}

    def listener(name: str) -> Apply:
        return lambda tx, envelope: heard[name].append(number_of(envelope))

    await ledger.bus.publish([event(1), event(2)])
    for name in heard:
        interest = Interest(name, (SEGMENTS,), listener(name))
        subscription = Subscription(ledger.store, ledger.bus, interest=interest, clock=ledger.clock)
        async with running(subscription.run):
            await eventually(lambda: len(heard[name]) == 2)  # noqa: B023
    assert heard == {"one": [1, 2], "two": [1, 2]}
