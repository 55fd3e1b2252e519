"""A member of a group on the embedded bus: it reads the topics whose leases it holds."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Sequence
from typing import Final

import structlog

from tams_common.bus.port import Assigned, Offsets, Partition, Record
from tams_common.bus.sqlite import log
from tams_common.bus.sqlite.desk import Desk
from tams_common.clock import SECOND
from tams_common.errors import StartRefused, Unavailable

MOST_HANDED: Final = 200
"""Records that are kept for a consumer in memory; what comes while it has so many, it reads from the file."""
_log = structlog.get_logger(__name__)


class SqliteConsumer:
    """Takes the lease of each of its topics that is free; the desk renews its leases until `close`.

    What this process appends is handed over in memory. That is read only where it follows directly on what was read
    last, and while the leases hold that were seen in the file; else the file tells. It is not asked while it can have
    nothing else.
    """

    def __init__(self, desk: Desk, member: log.Member, *, topics: Sequence[str], assigned: Assigned) -> None:
        self._desk = desk
        self._member = member
        self._assigned = assigned
        self._places: dict[str, int | None] = dict.fromkeys(topics)
        self._gained: dict[str, int] = {}
        self._until = 0
        self._handed: deque[Record] = deque()
        self._is_behind = True
        self._news = asyncio.Event()
        desk.members[member] = self

    def hear(self, records: Sequence[Record] | None) -> None:
        """See `Hearer.hear`."""
        if records is None:
            self._is_behind = True
            self._news.set()
            return
        ours = [record for record in records if record.partition.topic in self._places]
        if not ours:
            return
        if len(self._handed) + len(ours) <= MOST_HANDED:
            self._handed.extend(ours)
        else:
            self._is_behind = True
        self._news.set()

    async def poll(self, *, limit: int, timeout: float) -> list[Record]:
        """See `Consumer.poll`."""
        if self._member not in self._desk.members:
            raise RuntimeError("the consumer is closed")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while True:
            self._news.clear()
            records = await self._look(limit)
            rest = deadline - loop.time()
            if records or rest <= 0:
                return records
            # A lease that runs out is no news: who waits for one has to look again.
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(min(rest, self._desk.settings.lease / 3)):
                    await self._news.wait()

    async def commit(self, offsets: Offsets) -> None:
        """See `Consumer.commit`."""
        ours = {each: at for each, at in offsets.items() if self._places.get(each.topic) is not None}
        if ours:
            await self._desk.jot(log.commit, self._member.group, offsets=ours)

    async def close(self) -> None:
        """See `Consumer.close`."""
        self._desk.members.pop(self._member, None)
        try:
            await self._desk.jot(log.release, self._member)
        except Unavailable as error:
            _log.info("lease left to expire", group=self._member.group, reason=error.detail)
        self._desk.announce()

    async def _look(self, limit: int) -> list[Record]:
        while True:
            await self._settle()
            now = self._desk.clock()
            if now < self._until and None not in self._places.values():
                records = self._following(limit)
                if records or not (self._is_behind or self._handed):
                    return self._taken(records)
            found = await self._glance(now, limit)
            for topic in found.lost:
                _log.warning("lease lost", group=self._member.group, topic=topic)
                self._places[topic] = None
            if found.free:
                until = now + int(self._desk.settings.lease * SECOND)
                gained = await self._desk.jot(log.claim, self._member, topics=found.free, now=now, until=until)
                self._gained.update(gained)
            if found.records or not self._gained:
                return self._taken(found.records)

    async def _glance(self, now: int, limit: int) -> log.Glance:
        """Asks the file. What is written meanwhile makes it worth asking again."""
        self._is_behind, self._until = False, 0
        found = await self._desk.read(log.glance, self._member, places=self._places, now=now, limit=limit)
        self._is_behind = self._is_behind or len(found.records) == limit
        self._until = found.until
        return found

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

    def _following(self, limit: int) -> list[Record]:
        """What was handed over and follows on what was read, topic by topic; forgets what has been read."""
        found: list[Record] = []
        places = dict(self._places)
        while self._handed and len(found) < limit:
            record = self._handed[0]
            place = places[record.partition.topic]
            if place is not None and record.offset > place:
                break
            self._handed.popleft()
            if record.offset == place:
                places[record.partition.topic] = record.offset + 1
                found.append(record)
        return found

    def _taken(self, records: list[Record]) -> list[Record]:
        for record in records:
            place = self._places[record.partition.topic]
            # A bus that was opened goes on behind a gap.
            if place and record.offset > place and record.offset % log.GAP:
                _log.error("records expired unread", topic=record.partition.topic, first=place, last=record.offset - 1)
            self._places[record.partition.topic] = record.offset + 1
        # What was read first is read last the next time, so that a busy topic starves no other.
        first = next(iter(self._places))
        self._places[first] = self._places.pop(first)
        return records
