"""The live stream over HTTP: the event log as server-sent events (ours; architecture 4.5)."""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from typing import Final

import structlog
from msgspec import Struct
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from tams_common.bus.backoff import Backoff
from tams_common.errors import InvalidInput, Unavailable
from tams_common.store import Query, Reader, Store, eq
from tams_common.store.where import Between, Condition, IsIn
from tams_webhooks.config import WebhooksConfig
from tams_webhooks.log import head_of, newest
from tams_webhooks.tables import EVENT_LOG, THE_LOG, LogRow
from tams_webhooks.window import Window

RETRY: Final = 2000
"""Milliseconds after which a browser whose connection broke asks again."""
SPAN: Final = 5000
"""Numbers that are looked through at once, however few of them pass a filter."""
ROWS: Final = 200
BYTES: Final = 256 * 1024
"""What a stream holds in memory at most (yet always one event)."""
_WAIT: Final = 10
"""Seconds after which a client that was turned away may ask again."""
_log = structlog.get_logger(__name__)


class Filter(Struct, frozen=True):
    """Which events are wanted: those that every list holds; None holds all. No event is looked into for that."""

    types: tuple[str, ...] | None = None
    flow_ids: tuple[str, ...] | None = None
    source_ids: tuple[str, ...] | None = None

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The filter as the database takes it."""
        asked = {"type": self.types, "flow_id": self.flow_ids, "source_id": self.source_ids}
        return tuple(IsIn(column, values) for column, values in asked.items() if values is not None)


class Stretch(Struct, frozen=True):
    """What follows a place in the log: `skipped` events that are not kept any more, then `rows`, up to `reached`."""

    skipped: int
    rows: Sequence[LogRow]
    reached: int


class EventStream(Collector):
    """Follows the log for clients, as `config` allows. A stream reads on when its client has taken what it has read
    before, and holds nothing else. `open` counts streams."""

    def __init__(self, store: Store, window: Window, *, config: WebhooksConfig, registry: CollectorRegistry) -> None:
        self._store = store
        self._window = window
        self._heartbeat = config.heartbeat
        self._most = config.followers
        self.open = 0
        registry.register(self)

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """The metric as the registry wants it."""
        yield GaugeMetricFamily("tams_event_streams", "Clients that follow /events", value=self.open)

    async def start(self, asked: int | None, *, field: str) -> int:
        """Where a stream starts that is asked to go on after number `asked`; at the end of the log for None.

        Raises `InvalidInput` naming `field` for a number that the log has not reached: it comes from another log; and
        `Unavailable` when as many clients follow as may.
        """
        end = await self._store.read(newest, bounded=True)
        if self.open >= self._most:
            raise Unavailable(f"{self.open} clients follow already: that is all that may", retry_after=_WAIT)
        if asked is not None and asked > end:
            raise InvalidInput(
                f"{field}: the log of this store ends at {end}, so {asked} is of another one", field=field
            )
        return end if asked is None else asked

    async def follow(self, wanted: Filter, *, after: int) -> AsyncGenerator[bytes, None]:
        """The stream, without end: the `wanted` events after number `after`."""
        self.open += 1
        try:
            yield b"retry: %d\nid: %d\n\n" % (RETRY, after)
            async with aclosing(self._parts(wanted, after=after)) as parts:
                async for part in parts:
                    yield part
        finally:
            self.open -= 1

    async def _parts(self, wanted: Filter, *, after: int) -> AsyncGenerator[bytes, None]:
        loop = asyncio.get_running_loop()
        backoff = Backoff()
        told = after
        due = loop.time() + self._heartbeat
        while True:
            try:
                stretch = await self._store.read(lambda tx: read_stretch(tx, wanted, after=after))  # noqa: B023
                backoff.reset()
            except Unavailable as error:
                _log.warning("the event log cannot be read", reason=error.detail)
                await asyncio.sleep(min(backoff.next(), self._heartbeat))
                stretch = Stretch(0, (), after)
            after = stretch.reached
            part = _rendered(stretch)
            if not part and (loop.time() >= due or not await self._beyond(after, due=due)):
                # What the filter left out is behind the client, too.
                part = b": heartbeat\n\n" if told == after else b": heartbeat\nid: %d\n\n" % after
            if part:
                yield part
                told, due = after, loop.time() + self._heartbeat

    async def _beyond(self, number: int, *, due: float) -> bool:
        """Waits for an event after `number`; false when it is due to say that there is none."""
        try:
            async with asyncio.timeout_at(due):
                await self._window.beyond(number)
        except TimeoutError:
            return False
        return True


def read_stretch(reader: Reader, wanted: Filter, *, after: int) -> Stretch:
    """Reads on after number `after`, in steps that are bounded whatever the filter and the events."""
    head = head_of(reader)
    skipped = max(head.oldest - 1 - after, 0)
    start = after + skipped
    end = min(start + SPAN, head.next - 1)
    if start >= end:
        return Stretch(skipped, (), start)
    conditions = (eq("log", THE_LOG), *wanted.conditions)
    where = (*conditions, Between("number", start + 1, end))
    found = reader.select(EVENT_LOG, ("number", "size"), query=Query(where=where, limit=ROWS, width=ROWS))
    count = total = 0
    last = start
    for number, size in found.rows:
        total += int(size or 0)
        if count and total > BYTES:
            break
        count, last = count + 1, int(number or 0)
    if not count:
        return Stretch(skipped, (), end)
    where = (*conditions, Between("number", start + 1, last))
    rows = reader.scan(EVENT_LOG, Query(where=where, limit=count, width=last - start)).rows
    return Stretch(skipped, rows, last if found.more or count < len(found.rows) else end)


def _rendered(stretch: Stretch) -> bytes:
    parts: list[bytes] = []
    if stretch.skipped:
        before = stretch.rows[0].number - 1 if stretch.rows else stretch.reached
        parts.append(b'id: %d\nevent: gap\ndata: {"skipped": %d}\n\n' % (before, stretch.skipped))
    for row in stretch.rows:
        # Raw line ends can only stand between the tokens of JSON.
        value = row.value.translate(_SPACES)
        parts.append(b"id: %d\nevent: %s\ndata: %s\n\n" % (row.number, row.type.encode(), value))
    return b"".join(parts)


_SPACES: Final = bytes.maketrans(b"\r\n", b"  ")
