"""Events arrive in a service's tables once: effect and position are one transaction, and the position is the truth."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, TypeAlias, TypeVar

import msgspec
import structlog

from tams_common.bus import Bus, Consumer, Message, Offsets, Partition, Record
from tams_common.bus.backoff import Backoff
from tams_common.bus.cloudevents import floor_of, from_record
from tams_common.clock import SECOND, Clock
from tams_common.errors import Conflict, InvalidInput, Unavailable
from tams_common.events import RESOURCE_LIMIT, Envelope, dead_letters
from tams_common.store import Guard, Query, Reader, Store, Table, Tx, Windowed, eq, lt

_log = structlog.get_logger(__name__)
_HOUR: Final = 3600 * SECOND
T = TypeVar("T")

Apply: TypeAlias = Callable[[Tx, Envelope], None]
"""A plain function that makes an event's effect on the tables. `InvalidInput` and `msgspec.DecodeError` mean that the
event can never be applied. It may be run again, so it has no effect but through the transaction."""


class PositionRow(msgspec.Struct, frozen=True):
    """The next offset of a partition whose record is to be applied; all before it have been."""

    consumer_group: str
    topic: str
    number: int
    next: int
    version: int


class InboxRow(msgspec.Struct, frozen=True):
    """An event that has been applied: its moment (ns) and id."""

    consumer_group: str
    topic: str
    number: int
    at: int
    id: str


POSITIONS: Final = Table("positions", PositionRow, key=("consumer_group", "topic", "number"))
INBOX: Final = Table(
    "inbox",
    InboxRow,
    key=("consumer_group", "topic", "number", "at", "id"),
    sort=("consumer_group", "topic", "number", "at"),
    paging=Windowed(),
    guarded_by=Guard("positions", ("consumer_group", "topic", "number")),
)


class Interest(msgspec.Struct, frozen=True):
    """What a service wants to hear, and what it does about it; `group` is shared by its replicas.

    With `latest_only` an event makes those of its key before it superfluous: of those that are applied in one
    transaction, only the last of each key is. `applied` is called after each transaction, once it is durable.
    `gather` are seconds for which more events may come before a transaction: where nobody waits for its effect, it
    leaves the machine to those who do.
    """

    group: str
    topics: tuple[str, ...]
    apply: Apply
    latest_only: bool = False
    applied: Callable[[], None] | None = None
    gather: float = 0.0


class SubscriptionSettings(msgspec.Struct, frozen=True):
    """How a subscription works.

    batch: records applied in one transaction, at most. poll: seconds to wait for a record.
    dead_limit: poison per hour that is set aside; more of it stops the process.
    keep: hours, in the events' own time, for which ids are remembered, and longer while events as old still wait to be
    relayed: what waits may come again, however long that takes. Beyond that, what is staged hours later does not come
    before a duplicate, however long the relay was away in between.
    """

    batch: int = 200
    poll: float = 5.0
    dead_limit: int = 100
    keep: int = 1


DEFAULTS: Final = SubscriptionSettings()
_PRUNE_EVERY: Final = 1000
_REPORT_EVERY: Final = 1.0
_REASON_LENGTH: Final = 500
_MOST_KEPT: Final = RESOURCE_LIMIT + 4096
"""Bytes of a dead letter's value: more than any event of ours has, and half of what its headers may be."""


class TooMuchPoison(RuntimeError):
    """So many events cannot be applied that something else must be wrong; the process is to stop."""


class _Poison(Exception):
    """The delivery at `index` cannot be applied."""

    def __init__(self, index: int, cause: Exception) -> None:
        super().__init__(str(cause))
        self.index = index


class _Delivery(msgspec.Struct):
    """A record and its envelope; without one, only the position moves past it."""

    record: Record
    envelope: Envelope | None = None


class _Ledger:
    """What of `interest` has been applied, as transactions on the service's tables."""

    def __init__(self, interest: Interest, *, keep_hours: int) -> None:
        self._interest = interest
        self._keep = keep_hours * _HOUR

    def positions(self, tx: Reader, partitions: Iterable[Partition]) -> dict[Partition, PositionRow]:
        """The positions of those of `partitions` that have one."""
        group = self._interest.group
        rows = tx.get_many(POSITIONS, [(group, partition.topic, partition.number) for partition in partitions])
        return {Partition(row.topic, row.number): row for row in rows.values()}

    def apply(self, tx: Tx, batch: Sequence[_Delivery]) -> None:
        """Applies what is new in `batch` and moves the positions; raises `_Poison`."""
        stored = self.positions(tx, {delivery.record.partition for delivery in batch})
        reached = {partition: row.next for partition, row in stored.items()}
        rows = [self._inbox_row(delivery) for delivery in batch]
        known = set(tx.get_many(INBOX, [INBOX.key_of(row) for row in rows if row]))
        fresh: list[InboxRow] = []
        effects: dict[object, tuple[int, Envelope]] = {}
        for index, (delivery, row) in enumerate(zip(batch, rows, strict=True)):
            record, envelope = delivery.record, delivery.envelope
            if record.offset < reached.get(record.partition, 0):
                continue
            reached[record.partition] = record.offset + 1
            if envelope is None or row is None or (key := INBOX.key_of(row)) in known:
                continue
            known.add(key)
            fresh.append(row)
            effects[(record.partition, record.key) if self._interest.latest_only else index] = (index, envelope)
        for index, envelope in effects.values():
            try:
                self._interest.apply(tx, envelope)
            except (InvalidInput, msgspec.DecodeError) as error:
                raise _Poison(index, error) from error
        tx.insert(INBOX, fresh)
        self._move(tx, stored, reached=reached)

    def prune(self, tx: Tx, batch: Sequence[_Delivery]) -> None:
        """Forgets some of the ids that are much older than the latest in `batch` and can not come again, partition by
        partition."""
        latest: dict[Partition, int] = {}
        floors: dict[Partition, int] = {}
        for delivery in batch:
            if delivery.envelope is not None:
                partition = delivery.record.partition
                latest[partition] = max(delivery.envelope.at, latest.get(partition, 0))
                floor = floor_of(delivery.record)
                if floor is not None:
                    floors[partition] = floor
        for partition, at in latest.items():
            where = (
                eq("consumer_group", self._interest.group),
                eq("topic", partition.topic),
                eq("number", partition.number),
                lt("at", min(at - self._keep, floors.get(partition, at))),
            )
            forgotten = tx.scan(INBOX, Query(where=where, limit=2 * _PRUNE_EVERY)).rows
            tx.delete(INBOX, [INBOX.key_of(row) for row in forgotten])

    def _move(self, tx: Tx, stored: Mapping[Partition, PositionRow], *, reached: Mapping[Partition, int]) -> None:
        for partition, following in reached.items():
            row = stored.get(partition)
            version = row.version if row else 0
            moved = PositionRow(self._interest.group, partition.topic, partition.number, following, version + 1)
            if row is None:
                tx.insert(POSITIONS, [moved])
            elif row.next != following:
                tx.update(POSITIONS, [moved], expect=[version])

    def _inbox_row(self, delivery: _Delivery) -> InboxRow | None:
        if delivery.envelope is None:
            return None
        partition, envelope = delivery.record.partition, delivery.envelope
        return InboxRow(self._interest.group, partition.topic, partition.number, envelope.at, envelope.id)


class Progress(msgspec.Struct):
    """How a subscription gets on: events applied and set aside since its start, and the moment (ns) of the oldest event
    that it has in its hands, 0 for none."""

    applied: int = 0
    dead: int = 0
    waiting: int = 0


class Subscription:
    """Applies the events of `interest` to `store`, once each.

    What has been applied of a partition stands in `POSITIONS`, written in the transaction of the effect. So a record
    read twice, or by a consumer that has lost its partition without noticing, is skipped; what the relay published
    twice is known by its id.
    """

    def __init__(
        self, store: Store, bus: Bus, *, interest: Interest, clock: Clock, settings: SubscriptionSettings = DEFAULTS
    ) -> None:
        self._store = store
        self._bus = bus
        self._interest = interest
        self._clock = clock
        self._settings = settings
        self._ledger = _Ledger(interest, keep_hours=settings.keep)
        self._dead: list[int] = []
        self._unpruned = 0
        self._reached: dict[Partition, int] = {}
        self._reported = 0.0
        self.group = interest.group
        self.progress = Progress()

    @property
    def dead_topic(self) -> str:
        """Where events are put that cannot be applied."""
        return dead_letters(self._interest.group).name

    async def run(self) -> None:
        """Applies events until cancelled. Waits while bus or tables are unavailable; anything else is raised."""
        await _patiently(lambda: self._bus.apply([dead_letters(self._interest.group)]))
        consumer = await _patiently(self._join)
        try:
            while True:
                await self._step(consumer)
        finally:
            await consumer.close()

    async def _join(self) -> Consumer:
        return await self._bus.consumer(self._interest.group, self._interest.topics, assigned=self._assigned)

    async def _assigned(self, partitions: Sequence[Partition]) -> Offsets:
        stored = await self._store.read(lambda tx: self._ledger.positions(tx, partitions))
        return {partition: row.next for partition, row in stored.items()}

    async def _step(self, consumer: Consumer) -> None:
        records = await _patiently(lambda: consumer.poll(limit=self._settings.batch, timeout=self._settings.poll))
        if records:
            if self._interest.gather and len(records) < self._settings.batch:
                await asyncio.sleep(self._interest.gather)
                rest = self._settings.batch - len(records)
                records += await _patiently(lambda: consumer.poll(limit=rest, timeout=0))
            await self._take([_Delivery(record) for record in records])
            self._reached.update((record.partition, record.offset + 1) for record in records)
        if self._reached and (not records or time.monotonic() >= self._reported + _REPORT_EVERY):
            await self._report(consumer)

    async def _report(self, consumer: Consumer) -> None:
        """Tells the bus how far this is, for those who watch it: not so often that it holds up what comes next."""
        try:
            await consumer.commit(self._reached)
        except Unavailable as error:
            _log.info("progress not reported", group=self._interest.group, reason=error.detail)
        self._reached, self._reported = {}, time.monotonic()

    async def _take(self, batch: Sequence[_Delivery]) -> None:
        """Applies `batch` in one transaction, without what cannot be applied: that is set aside first."""
        for delivery in batch:
            try:
                delivery.envelope = from_record(delivery.record)
            except InvalidInput as error:
                await self._bury(delivery, error)
        self.progress.waiting = min((given.envelope.at for given in batch if given.envelope is not None), default=0)
        while True:
            try:
                await _patiently(lambda: self._store.run(lambda tx: self._ledger.apply(tx, batch)))
                break
            except _Poison as poison:
                await self._bury(batch[poison.index], poison)
        self.progress.waiting = 0
        self.progress.applied += len(batch)
        if self._interest.applied is not None:
            self._interest.applied()
        self._unpruned += len(batch)
        if self._unpruned >= _PRUNE_EVERY:
            await _patiently(lambda: self._store.run(lambda tx: self._ledger.prune(tx, batch)))
            self._unpruned = 0

    async def _bury(self, delivery: _Delivery, cause: Exception) -> None:
        record = delivery.record
        now = self._clock()
        self._dead = [moment for moment in self._dead if now - moment < _HOUR]
        if len(self._dead) >= self._settings.dead_limit:
            raise TooMuchPoison(f"{self._interest.group}: event {record.id} of {record.partition}: {cause}") from cause
        self._dead.append(now)
        self.progress.dead += 1
        _log.error("event set aside", group=self._interest.group, id=record.id, reason=str(cause))
        letter = _dead_letter(record, cause, topic=self.dead_topic)
        await _patiently(lambda: self._publish(letter))
        delivery.envelope = None

    async def _publish(self, message: Message) -> None:
        if await self._bus.publish([message]):
            raise Unavailable(f"the bus did not take event {message.id}")


def _dead_letter(record: Record, cause: Exception, *, topic: str) -> Message:
    """What is kept of a record that cannot be applied, and where it lies. Of one that is larger than any event only as
    much that the bus takes it, with all that is said about it."""
    about = {
        "dead_reason": str(cause)[:_REASON_LENGTH],
        "dead_topic": record.partition.topic,
        "dead_partition": str(record.partition.number),
        "dead_offset": str(record.offset),
        "dead_size": str(len(record.value)),
    }
    told = sum(len(name) + len(value) for name, value in record.headers.items())
    headers = about if told > 2 * _MOST_KEPT else record.headers | about
    key, event_id = record.key[:_REASON_LENGTH], record.id[:_REASON_LENGTH]
    return Message(topic=topic, key=key, id=event_id, value=record.value[:_MOST_KEPT], headers=headers)


async def _patiently(step: Callable[[], Awaitable[T]]) -> T:
    backoff = Backoff()
    while True:
        try:
            return await step()
        except (Unavailable, Conflict) as error:
            delay = backoff.next()
            _log.warning("waiting", reason=error.detail, seconds=round(delay, 3))
            await asyncio.sleep(delay)
