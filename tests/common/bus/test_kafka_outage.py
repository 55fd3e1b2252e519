"""The event path while Kafka is away: the outbox holds what waits; afterwards all of it arrives, in order and once."""

import asyncio
import gc
import itertools
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio
import uvloop
from aiokafka import AIOKafkaProducer
from aiokafka.consumer.group_coordinator import GroupCoordinator

from tams_common.bus import Message, Topic
from tams_common.bus.kafka import KafkaBus, settings_of
from tams_common.clock import system_clock
from tams_common.errors import Unavailable
from tams_common.events import SEGMENTS, TOPICS
from tams_common.ids import new_id
from tams_common.inbox import Interest, Subscription
from tams_common.outbox import Relay, RelaySettings
from tams_common.store.sqlite import SqliteStore
from tests.common.bus.faulty import FaultyBus
from tests.common.bus.reading import Reader, messages
from tests.common.eventually import eventually
from tests.common.ledger import TABLES, Ledger, copy, running, steps_of
from tests.kafka import Kafka, new_prefix

STEPS = 120
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def prefix() -> str:
    """The topics and groups of one test."""
    return new_prefix()


@pytest_asyncio.fixture
async def ledger(kafka: Kafka, prefix: str) -> AsyncIterator[Ledger]:
    """A service whose events go over Kafka."""
    store, bus = SqliteStore(None, "ledger", tables=TABLES), KafkaBus(settings_of(kafka.url(prefix=prefix)))
    await store.open()
    await store.migrate()
    await kafka.make(prefix, *TOPICS)
    await bus.open()
    yield Ledger(store, bus)
    await bus.close()
    await store.close()


def relay(ledger: Ledger, *, batch_rows: int = 50) -> Relay:
    settings = RelaySettings(sweep=0.05, linger=0.01, lease=2, batch_rows=batch_rows)
    return Relay(ledger.store, ledger.bus, clock=system_clock, new_id=new_id, settings=settings)


def subscription(ledger: Ledger) -> Subscription:
    return Subscription(ledger.store, ledger.bus, interest=Interest("tams.copy", (SEGMENTS,), copy), clock=system_clock)


async def check_the_books(ledger: Ledger, steps: int) -> None:
    """Every step was published in the order of its counter and applied once."""
    await eventually(lambda: all_applied(ledger, steps))
    await eventually(lambda: nothing_waits(ledger))
    reader = await ledger.published(steps * len(NAMES))
    for name in NAMES:
        assert steps_of(reader, name) == list(range(1, steps + 1))
        assert await ledger.copied(name) == [(number, 1) for number in range(1, steps + 1)]


async def nothing_waits(ledger: Ledger) -> bool:
    """Whether all that was acknowledged has left the outbox, which is a moment after it was applied."""
    return await ledger.waiting() == 0


async def all_applied(ledger: Ledger, steps: int) -> bool:
    """Whether that many steps of each counter have been heard of."""
    return all([len(await ledger.copied(name)) == steps for name in NAMES])


async def test_what_happens_in_an_outage_is_told_after_it(kafka: Kafka, ledger: Ledger) -> None:
    async with running(relay(ledger).run), running(subscription(ledger).run):
        for number in range(STEPS):
            if number == STEPS // 3:
                async with kafka.killed():
                    while await ledger.waiting() < STEPS:
                        for name in NAMES:
                            await ledger.step(name)
                break
            for name in NAMES:
                await ledger.step(name)
        made = await ledger.counted()
        await check_the_books(ledger, made["a"])


@pytest.mark.parametrize("round_", range(2))
async def test_a_broker_killed_while_it_takes_events_loses_none(kafka: Kafka, ledger: Ledger, round_: int) -> None:
    for _ in range(STEPS):
        for name in NAMES:
            await ledger.step(name)
    begun = asyncio.Event()

    async def begin() -> None:
        begun.set()

    telling = relay(Ledger(ledger.store, FaultyBus(ledger.bus, after=begin)))
    async with running(telling.run), running(subscription(ledger).run):
        await begun.wait()
        async with kafka.killed():
            pass
        await check_the_books(ledger, STEPS)


async def test_a_publish_that_finds_no_broker_says_so_at_once_and_keeps_nothing(kafka: Kafka, ledger: Ledger) -> None:
    await ledger.step()
    once = relay(ledger)
    async with kafka.killed():
        for _ in range(3):
            with pytest.raises(Unavailable):
                await once.sweep()
            assert await ledger.waiting() == 1
    assert await once.sweep()
    assert steps_of(await ledger.published(1)) == [1]


async def with_topic(kafka: Kafka, **settings: object) -> KafkaBus:
    """An open bus with `settings`, on which there is a topic `t`."""
    prefix = new_prefix()
    bus = KafkaBus(settings_of(kafka.url(prefix=prefix, **settings)))
    await kafka.make(prefix, Topic("t", partitions=3))
    await bus.open()
    return bus


async def grown_by(action: Callable[[], Awaitable[None]], *, times: int) -> int:
    """Bytes that are left of as many repetitions."""
    tracemalloc.start()
    try:
        for _ in range(times):
            await action()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


async def test_a_group_that_was_assigned_nothing_is_assigned_all_soon(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its leader had to assign while the cluster told of no partitions, as it does when it has just begun."""
    assign, turns = GroupCoordinator._perform_assignment, itertools.count()

    async def blindly(coordinator: GroupCoordinator, response: object) -> object:
        with monkeypatch.context() as blind:
            if next(turns) == 0:
                blind.setattr(coordinator._cluster, "partitions_for_topic", lambda _: None)
            return await assign(coordinator, response)

    monkeypatch.setattr(GroupCoordinator, "_perform_assignment", blindly)
    bus, reader = await with_topic(kafka, session=6), Reader()
    consumer = await bus.consumer(new_id(), ["t"], assigned=reader.assigned)
    await bus.publish(messages("t", range(3)))
    await reader.read(consumer, 3)
    assert next(turns) > 1
    await consumer.close()
    await bus.close()


async def test_what_cannot_be_sent_does_not_stay_in_memory(kafka: Kafka) -> None:
    bus = await with_topic(kafka, timeout=1)
    batch = [Message(topic="t", key=f"k{number}", id="1", value=bytes(50_000)) for number in range(40)]

    async def fail() -> None:
        with pytest.raises(Unavailable):
            await bus.publish(batch)

    async with kafka.killed():
        await fail()
        growth = await grown_by(fail, times=50)
    await bus.close()
    assert growth < 1_000_000


async def test_a_frozen_broker_costs_a_relay_no_memory(kafka: Kafka, ledger: Ledger, prefix: str) -> None:
    """The broker takes what is sent and answers nothing: each try has to forget what the one before has sent."""
    bus = KafkaBus(settings_of(kafka.url(prefix=prefix, timeout=1)))
    await bus.open()
    impatient = relay(Ledger(ledger.store, bus), batch_rows=STEPS * len(NAMES))

    async def fail() -> None:
        with pytest.raises(Unavailable):
            await impatient.sweep()

    async with kafka.frozen():
        for _ in range(STEPS):
            for name in NAMES:
                await ledger.step(name)
        await fail()
        growth = await grown_by(fail, times=8)
    await bus.close()
    assert growth < 300_000
    async with running(relay(ledger).run), running(subscription(ledger).run):
        await eventually(lambda: all_applied(ledger, STEPS))
    assert await ledger.waiting() == 0


async def test_a_producer_that_would_try_for_ever_gives_up_too(kafka: Kafka) -> None:
    before = asyncio.all_tasks()
    bus = await with_topic(kafka, idempotence="true", timeout=2)
    assert not await bus.publish(messages("t", range(3)))
    async with kafka.killed():
        with pytest.raises(Unavailable):
            await bus.publish(messages("t", range(3, 6)))
        with pytest.raises(Unavailable):
            await bus.publish(messages("t", range(3, 6)))
    assert not await bus.publish(messages("t", range(3, 6)))
    async with kafka.killed():
        await bus.close()
    assert asyncio.all_tasks() == before


async def test_members_leave_at_any_moment_of_an_outage(kafka: Kafka) -> None:
    before = asyncio.all_tasks()
    bus = await with_topic(kafka)
    readers = [Reader() for _ in range(4)]
    members = [await bus.consumer(new_id(), ["t"], assigned=reader.assigned) for reader in readers]
    await bus.publish(messages("t", range(1)))
    await asyncio.gather(*(reader.read(member, 1) for reader, member in zip(readers, members, strict=True)))
    async with kafka.killed():
        for pause, member in zip((0, 0.05, 0.3, 1), members, strict=True):
            await asyncio.wait([asyncio.ensure_future(member.poll(limit=1, timeout=pause))])
            await member.close()
        await bus.close()
    await eventually(lambda: asyncio.all_tasks() == before)


@pytest.mark.parametrize("headers", [[], [("other", b"x" * 500_000)], [("ce_id", b"x" * 500_000)]])
async def test_poison_as_large_as_the_broker_takes_is_set_aside(
    kafka: Kafka, ledger: Ledger, prefix: str, headers: list[tuple[str, bytes]]
) -> None:
    """What says why a record is dead comes on top of it: whole it would be refused again and again."""
    size = 1_048_400 - sum(len(value) for _, value in headers)
    async with AIOKafkaProducer(bootstrap_servers=kafka.address, max_request_size=2**21) as other:
        placed = await other.send_and_wait(f"{prefix}{SEGMENTS}", b"x" * size, key=b"a", headers=headers)
    for name in NAMES:
        await ledger.step(name)
    await relay(ledger).sweep()
    async with running(subscription(ledger).run):
        await eventually(lambda: all_applied(ledger, 1))
    (dead,) = (await ledger.published(1, topic="tams.copy.dead")).records
    assert dead.headers["dead_partition"] == str(placed.partition)
    assert dead.headers["dead_offset"] == str(placed.offset)
    assert dead.headers["dead_size"] == str(size)


async def cut_connection(address: str) -> RuntimeError:
    """What uvloop says to who writes to a connection that has just been closed."""
    host, port = address.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    writer.transport.abort()
    await asyncio.wait([asyncio.ensure_future(writer.wait_closed())])
    with pytest.raises(RuntimeError) as caught:
        writer.write(b"x")
    return caught.value


async def test_a_member_that_wrote_to_a_closed_connection_comes_back(kafka: Kafka, prefix: str) -> None:
    """aiokafka keeps what its task for the group met until the next poll; it ended the process."""
    error = await asyncio.to_thread(uvloop.run, cut_connection(kafka.address))
    reader, bus = Reader(), KafkaBus(settings_of(kafka.url(prefix=prefix)))
    await kafka.make(prefix, Topic("t"))
    await bus.open()
    try:
        consumer = await bus.consumer("group", ["t"], assigned=reader.assigned)
        await bus.publish(messages("t", range(1)))
        await reader.read(consumer, 1)
        assert consumer._member is not None
        consumer._member.consumer._coordinator._pending_exception = error
        with pytest.raises(Unavailable, match="closed"):
            await consumer.poll(limit=1, timeout=5)
        await bus.publish(messages("t", range(1, 2)))
        await reader.read(consumer, 2)
        await consumer.close()
    finally:
        await bus.close()
    assert [record.offset for record in reader.records] == [0, 1]
