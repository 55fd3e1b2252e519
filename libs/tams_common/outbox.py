"""Events leave a service through its outbox: staged with the change that caused them, carried on by the relay."""

import asyncio
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Final, TypeAlias

import msgspec
import structlog

from tams_common.bus import Bus
from tams_common.bus.backoff import Backoff
from tams_common.bus.cloudevents import to_message
from tams_common.clock import Clock
from tams_common.errors import Conflict, Unavailable
from tams_common.events import Draft, Envelope
from tams_common.ids import EventId, FlowId, IdSource, Incarnation, SourceId
from tams_common.leases import Lease, LeaseLost
from tams_common.store import Query, Reader, Store, Table, Tx, Windowed

_log = structlog.get_logger(__name__)


class OutboxRow(msgspec.Struct, frozen=True):
    """An envelope that has not left yet. Lists of ids are separated by commas; `size` is that of `value` in bytes."""

    at: int
    id: str
    topic: str
    key: str
    type: str
    flow_id: str | None
    source_id: str | None
    flow_collected_by: str
    source_collected_by: str
    incarnation: str | None
    extent: str | None
    size: int
    value: bytes


OUTBOX: Final = Table("outbox", OutboxRow, key=("at", "id"), paging=Windowed())
LEASE: Final = "relay"
FEW: Final = 16
"""Events that are read without asking for their sizes first, on the event loop's own thread: mostly one waits."""
WALK: Final = 20_000
"""Rows that are looked through, at most, for events that may go while others have been refused."""

_Place: TypeAlias = tuple[str, str]
"""A topic and a key: what order is kept of."""


def stage(tx: Tx, drafts: Sequence[Draft], *, at: int, new_id: IdSource) -> int:
    """Stages `drafts`, in order, with the change that `tx` makes; returns the moment of the last one.

    `at` (ns) must be later than what was returned for the same key before: keep that in the row that serialises the
    key and take `clock.later`. Each further draft is 1 ns later than the one before, so that order is always told.
    """
    rows = [_row_of(draft.seal(id=EventId(new_id()), at=at + place)) for place, draft in enumerate(drafts)]
    tx.insert(OUTBOX, rows)
    return at + max(len(rows) - 1, 0)


class RelaySettings(msgspec.Struct, frozen=True):
    """How a relay works; times in seconds.

    sweep: between looks at the outbox that nobody asked for.
    spare: how many times as long as the removal of a batch takes the relay rests before it, so that whoever hears of
    the events goes first, the next batch gathers some rows, and writers keep their share of the tables.
    linger: the longest rest.
    lease: how long a relay that fell silent keeps the outbox. drain: how long to go on when the service stops.
    batch_rows, batch_bytes: what is read and sent at once, at most (yet always one row).
    """

    sweep: float = 1.0
    spare: float = 4.0
    linger: float = 0.1
    lease: float = 10.0
    drain: float = 5.0
    batch_rows: int = 500
    batch_bytes: int = 2 * 1024 * 1024

    def rest(self, took: float) -> float:
        """Seconds to rest before a removal when those before took so many."""
        return min(self.spare * took, self.linger)


class Backlog(msgspec.Struct, frozen=True):
    """What a relay found in the outbox: how many rows (it counts no further than its next batch could reach), and the
    moment of the oldest one (ns)."""

    rows: int = 0
    oldest: int = 0


DEFAULTS: Final = RelaySettings()


class _Found(msgspec.Struct, frozen=True):
    """What one look at the outbox found: the rows to send next, how many there are, and the moment of the oldest one
    (ns), whether it is sent or not."""

    rows: Sequence[OutboxRow] = ()
    count: int = 0
    oldest: int = 0


class Relay:
    """Carries the outbox of `store` to `bus`: at least once, in the order of each key.

    Every sweep starts at the oldest row, whatever was read before: a transaction may commit an earlier moment late. One
    relay drains an outbox at a time. That spares duplicates; order rests neither on it nor on clocks, as a row goes
    only after the bus has acknowledged it and all of its key before it, so the first copies on the bus are in order.
    Keys of which the bus has refused an event are passed over for a while: others go on.
    """

    def __init__(
        self, store: Store, bus: Bus, *, clock: Clock, new_id: IdSource, settings: RelaySettings = DEFAULTS
    ) -> None:
        self._store = store
        self._bus = bus
        self._lease = Lease(LEASE, new_id(), clock=clock, seconds=settings.lease)
        self._settings = settings
        self._until = 0
        self._asked = asyncio.Event()
        self._backoff = Backoff()
        self._removal = 0.0
        self._sent: Sequence[OutboxRow] = ()
        self._is_busy = False
        self._refused: frozenset[_Place] = frozenset()
        self._again = 0.0
        self.backlog = Backlog()

    def prompt(self) -> None:
        """Something is in the outbox: look now. Called after a commit; to forget it costs time, never an event."""
        self._asked.set()

    async def run(self) -> None:
        """Relays until cancelled, then what is left, as far as the bus takes it."""
        try:
            while True:
                await self._turn()
        except asyncio.CancelledError:
            await self._drain()
            raise

    async def sweep(self) -> bool:
        """Relays the oldest batch; whether any of it left. Raises `Unavailable` when the bus took nothing."""
        sent = await self._send()
        await self._remove_sent()
        return sent

    async def _turn(self) -> None:
        self._asked.clear()
        try:
            sent = await self._send()
            if sent:
                await asyncio.sleep(self._settings.rest(self._removal))
                await self._remove_sent()
        except (Unavailable, Conflict) as error:
            delay = self._backoff.next()
            _log.warning("events wait", reason=error.detail, seconds=round(delay, 3))
            await asyncio.sleep(delay)
            return
        if not sent:
            await self._idle()

    async def _idle(self) -> None:
        """Nothing may go: waits to be asked, or until what was refused is to be tried again."""
        rest = self._again - time.monotonic() if self._refused else self._settings.sweep
        with suppress(TimeoutError):
            async with asyncio.timeout(rest):
                await self._asked.wait()

    async def _send(self) -> bool:
        """Publishes the oldest batch that may go; whether there was any. Raises `Unavailable` when nothing was taken:
        its keys are passed over then, as it is not known whether others would be, too."""
        await self._remove_sent()
        found = await self._read()
        if self._refused and not found.rows and time.monotonic() >= self._again:
            self._refused = frozenset()
            found = await self._read()
        self.backlog = Backlog(found.count, found.oldest)
        if not found.rows or not await self._hold():
            return False
        try:
            refused = await self._bus.publish([to_message(_envelope_of(row), floor=found.oldest) for row in found.rows])
        except Unavailable:
            self._pass_over(found.rows)
            raise
        ids = {message.id for message in refused}
        self._sent = [row for row in found.rows if row.id not in ids]
        if refused:
            self._pass_over(row for row in found.rows if row.id in ids)
            self._again = time.monotonic() + self._backoff.next()
            _log.warning("events wait", reason=f"the bus took {len(self._sent)} of {len(found.rows)} events")
        elif not self._refused:
            self._backoff.reset()
        elif time.monotonic() >= self._again:
            self._refused = frozenset()
        return True

    async def _remove_sent(self) -> None:
        if self._sent:
            started = time.monotonic()
            self._until = await self._store.run(lambda tx: self._remove(tx, self._sent))
            self._sent = ()
            # One slow flush of the disk is not yet a busy store.
            self._removal += (time.monotonic() - started - self._removal) / 4

    def _pass_over(self, rows: Iterable[OutboxRow]) -> None:
        self._refused |= {(row.topic, row.key) for row in rows}

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(self._settings.drain):
                while await self.sweep():
                    pass
                await self._store.run(self._lease.release)
        except (TimeoutError, Unavailable, Conflict) as error:
            _log.warning("events wait for the next start", reason=str(error))

    async def _read(self) -> _Found:
        if not self._is_busy and not self._refused:
            found = await self._store.read(self._few, bounded=True)
            if found.count < FEW:
                return found
        found = await self._store.read(self._oldest)
        self._is_busy = found.count >= FEW
        return found

    def _few(self, tx: Reader) -> _Found:
        if not self._lease.may_take(tx):
            return _Found()
        rows = tx.scan(OUTBOX, Query(limit=FEW)).rows
        return _Found(rows[: self._fitting([row.size for row in rows])], len(rows), rows[0].at) if rows else _Found()

    def _oldest(self, tx: Reader) -> _Found:
        if not self._lease.may_take(tx):
            return _Found()
        limit = WALK if self._refused else self._settings.batch_rows
        found = tx.select(OUTBOX, ("size", "at", "id", "topic", "key"), query=Query(limit=limit)).rows
        free = [row for row in found if (row[3], row[4]) not in self._refused] if self._refused else found
        keys = [
            (int(at or 0), str(id_)) for _, at, id_, _, _ in free[: self._fitting([int(row[0] or 0) for row in free])]
        ]
        rows = tx.get_many(OUTBOX, keys)
        return _Found([rows[key] for key in keys], len(found), int(found[0][1] or 0) if found else 0)

    def _fitting(self, sizes: Sequence[int]) -> int:
        """How many events of these sizes (bytes), from the first on, make a batch."""
        count = total = 0
        for size in sizes[: self._settings.batch_rows]:
            total += size
            if count and total > self._settings.batch_bytes:
                break
            count += 1
        return count

    async def _hold(self) -> bool:
        """Whether this relay may send: its lease lasts for a while yet, or could be taken."""
        if not self._lease.is_fresh(self._until):
            self._until = await self._store.run(self._lease.take)
        return self._until > 0

    def _remove(self, tx: Tx, rows: Sequence[OutboxRow]) -> int:
        """Removes rows that were sent, unless another relay has taken over: then they are its business. Returns the
        end (ns) of the lease, 0 when it is lost."""
        try:
            until = self._lease.renew(tx)
        except LeaseLost:
            return 0
        tx.delete(OUTBOX, [OUTBOX.key_of(row) for row in rows])
        return until


def _row_of(envelope: Envelope) -> OutboxRow:
    return OutboxRow(
        at=envelope.at,
        id=envelope.id,
        topic=envelope.topic,
        key=envelope.key,
        type=envelope.type,
        flow_id=envelope.flow_id,
        source_id=envelope.source_id,
        flow_collected_by=",".join(envelope.flow_collected_by),
        source_collected_by=",".join(envelope.source_collected_by),
        incarnation=envelope.incarnation,
        extent=envelope.extent,
        size=len(envelope.value),
        value=envelope.value,
    )


def _envelope_of(row: OutboxRow) -> Envelope:
    return Envelope(
        id=EventId(row.id),
        topic=row.topic,
        key=row.key,
        at=row.at,
        type=row.type,
        value=row.value,
        flow_id=FlowId(row.flow_id) if row.flow_id else None,
        source_id=SourceId(row.source_id) if row.source_id else None,
        flow_collected_by=tuple(FlowId(flow) for flow in row.flow_collected_by.split(",") if flow),
        source_collected_by=tuple(SourceId(source) for source in row.source_collected_by.split(",") if source),
        incarnation=Incarnation(row.incarnation) if row.incarnation else None,
        extent=row.extent,
    )
