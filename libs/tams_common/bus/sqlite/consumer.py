"""A member of a group on the embedded bus: it reads the topics whose leases it holds."""

import asyncio
import contextlib
from collections.abc import Sequence

import structlog

from tams_common.bus.port import Assigned, Offsets, Partition, Record
from tams_common.bus.sqlite import log
from tams_common.bus.sqlite.desk import Desk
from tams_common.clock import SECOND
from tams_common.errors import StartRefused, Unavailable

_log = structlog.get_logger(__name__)


class SqliteConsumer:
    """Takes the lease of each of its topics that is free; the desk renews its leases until `close`."""

    def __init__(self, desk: Desk, member: log.Member, *, topics: Sequence[str], assigned: Assigned) -> None:
        self._desk = desk
        self._member = member
        self._assigned = assigned
        self._places: dict[str, int | None] = dict.fromkeys(topics)
        self._gained: dict[str, int] = {}
        desk.members.add(member)

    async def poll(self, *, limit: int, timeout: float) -> list[Record]:
        """See `Consumer.poll`."""
        if self._member not in self._desk.members:
            raise RuntimeError("the consumer is closed")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            news = self._desk.news
            records = await self._look(limit)
            rest = deadline - loop.time()
            if records or rest <= 0:
                return records
            # A lease that runs out is no news: who waits for one has to look again.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(rest, self._desk.settings.lease / 3)):
                    await news.wait()

    async def commit(self, offsets: Offsets) -> None:
        """See `Consumer.commit`."""
        await self._desk.jot(log.commit, self._member.group, offsets=offsets)

    async def close(self) -> None:
        """See `Consumer.close`."""
        self._desk.members.discard(self._member)
        try:
            await self._desk.jot(log.release, self._member)
        except Unavailable as error:
            _log.info("lease left to expire", group=self._member.group, reason=error.detail)
        self._desk.announce()

    async def _look(self, limit: int) -> list[Record]:
        while True:
            await self._settle()
            now = self._desk.clock()
            found = await self._desk.read(log.glance, self._member, places=self._places, now=now, limit=limit)
            for topic in found.lost:
                _log.warning("lease lost", group=self._member.group, topic=topic)
                self._places[topic] = None
            if found.free:
                until = now + int(self._desk.settings.lease * SECOND)
                gained = await self._desk.jot(log.claim, self._member, topics=found.free, now=now, until=until)
                self._gained.update(gained)
            if found.records or not self._gained:
                return self._taken(found.records)

    async def _settle(self) -> None:
        """Asks where reading starts in the topics gained; asked again later if that fails."""
        if not self._gained:
            return
        starts = await self._assigned([Partition(topic, 0) for topic in self._gained])
        for topic, end in self._gained.items():
            start = starts.get(Partition(topic, 0), 0)
            if start > end:
                raise StartRefused(
                    f"{self._member.group} has read {topic} up to {start}, but the bus ends at {end}: it is another one"
                )
            self._places[topic] = start
        self._gained.clear()

    def _taken(self, records: list[Record]) -> list[Record]:
        for record in records:
            place = self._places[record.partition.topic]
            if place and record.offset > place:
                _log.error("records expired unread", topic=record.partition.topic, first=place, last=record.offset - 1)
            self._places[record.partition.topic] = record.offset + 1
        # What was read first is read last the next time, so that a busy topic starves no other.
        first = next(iter(self._places))
        self._places[first] = self._places.pop(first)
        return records
