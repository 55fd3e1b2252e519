"""A small service for tests of the event path: counters whose every step is an event, and a copy made from these."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import msgspec

from tams_common.bus import Bus
from tams_common.bus.cloudevents import from_record
from tams_common.bus.sqlite import SqliteBus
from tams_common.bus.sqlite.desk import DEFAULTS, Settings
from tams_common.clock import Clock, later, system_clock
from tams_common.events import SEGMENTS, TOPICS, Envelope, SegmentsDeleted, Subject, segments_deleted
from tams_common.ids import FlowId, new_id
from tams_common.inbox import INBOX, POSITIONS
from tams_common.leases import LEASES
from tams_common.outbox import OUTBOX, stage
from tams_common.store import Query, Store, Table, Tx
from tams_common.store.sqlite import SqliteStore
from tests.common.bus.reading import Reader


class CounterRow(msgspec.Struct, frozen=True):
    """How many steps a counter has made; `event_at` is the moment of the last one."""

    id: str
    steps: int
    event_at: int
    version: int


class StepRow(msgspec.Struct, frozen=True):
    """A step that was heard of: the how manyth it was, and how often it was applied."""

    id: str
    number: int
    place: int
    times: int
    version: int


COUNTERS: Final = Table("counters", CounterRow, key=("id",))
STEPS: Final = Table("steps", StepRow, key=("id", "number"))
TABLES: Final = (COUNTERS, STEPS, OUTBOX, LEASES, POSITIONS, INBOX)


def step(tx: Tx, name: str, *, now: int) -> int:
    """Counts one on, with its event; returns the count."""
    row = tx.get(COUNTERS, (name,))
    number = row.steps + 1 if row else 1
    draft = segments_deleted(str(number), Subject(flow_id=FlowId(name)))
    at = stage(tx, [draft], at=later(now, row.event_at if row else 0), new_id=new_id)
    moved = CounterRow(name, number, at, row.version + 1 if row else 1)
    if row is None:
        tx.insert(COUNTERS, [moved])
    else:
        tx.update(COUNTERS, [moved], expect=[row.version])
    return number


def number_of(envelope: Envelope) -> int:
    """Which step an event tells of; `msgspec.DecodeError` for what is none."""
    event = envelope.event()
    if not isinstance(event, SegmentsDeleted):
        raise msgspec.DecodeError(f"{envelope.type} is not of a counter")
    return int(event.event.timerange)


def copy(tx: Tx, envelope: Envelope) -> None:
    """Notes a step, and how often: more than once would be an event invented."""
    number = number_of(envelope)
    row = tx.get(STEPS, (envelope.key, number))
    if row is not None:
        tx.update(STEPS, [msgspec.structs.replace(row, times=row.times + 1, version=row.version + 1)])
        return
    tx.insert(STEPS, [StepRow(envelope.key, number, len(tx.scan(STEPS, Query()).rows), 1, 1)])


class Ledger:
    """The service's parts, opened."""

    def __init__(self, store: Store, bus: Bus, *, clock: Clock = system_clock) -> None:
        self.store = store
        self.bus = bus
        self.clock = clock

    async def step(self, name: str = "a") -> int:
        return await self.store.run(lambda tx: step(tx, name, now=self.clock()))

    async def waiting(self) -> int:
        """Events in the outbox."""
        return len(await self.store.read(lambda tx: tx.select(OUTBOX, ("id",), query=Query()).rows))

    async def counted(self) -> dict[str, int]:
        """Steps made, by counter."""
        rows = await self.store.read(lambda tx: tx.scan(COUNTERS, Query()).rows)
        return {row.id: row.steps for row in rows}

    async def copied(self, name: str = "a") -> list[tuple[int, int]]:
        """Number and times of each step heard of, in the order of hearing."""
        rows = await self.store.read(lambda tx: tx.scan(STEPS, Query()).rows)
        return [(row.number, row.times) for row in sorted(rows, key=lambda row: row.place) if row.id == name]

    async def published(self, count: int, *, topic: str = SEGMENTS) -> Reader:
        """What the bus has, once that is `count` different events; more than that is found, too."""
        reader = Reader()
        consumer = await self.bus.consumer(f"tests.{new_id()}", [topic], assigned=reader.assigned)
        while len(set(reader.ids)) < count:
            await reader.read(consumer, len(reader.records) + 1)
        reader.take(await consumer.poll(limit=100, timeout=0))
        await consumer.close()
        return reader


def steps_of(reader: Reader, name: str = "a") -> list[int]:
    """The steps of a counter that were published, in order, each event's first copy only."""
    first = {record.id: from_record(record) for record in reversed(reader.records) if record.key == name}
    return [
        number_of(first[event]) for event in dict.fromkeys(record.id for record in reader.records) if event in first
    ]


@asynccontextmanager
async def opened(
    directory: Path | None, *, clock: Clock = system_clock, settings: Settings = DEFAULTS
) -> AsyncIterator[Ledger]:
    """The parts on files in `directory`, with one clock for all of them."""
    store, bus = SqliteStore(directory, "ledger", tables=TABLES), SqliteBus(directory, clock=clock, settings=settings)
    await store.open()
    await store.migrate()
    await bus.open()
    await bus.apply(TOPICS)
    try:
        yield Ledger(store, bus, clock=clock)
    finally:
        await bus.close()
        await store.close()


@asynccontextmanager
async def running(run: Callable[[], Coroutine[None, None, None]]) -> AsyncIterator["asyncio.Task[None]"]:
    """A behaviour beside the block, cancelled at its end as the host does."""
    task = asyncio.create_task(run())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.wait([task])
        # Its failure is why the block failed.
        if not task.cancelled():
            task.result()
