"""A consumer whose truth is elsewhere: where reading begins is asked at every assignment, whatever was committed."""

import asyncio
import time
from collections.abc import Sequence
from typing import Final

import structlog
from aiokafka import TopicPartition

from tams_common.bus.kafka.link import Link, is_outage, reason
from tams_common.bus.kafka.membership import Membership, joined
from tams_common.bus.kafka.records import record_of
from tams_common.bus.port import Assigned, Offsets, Partition, Record
from tams_common.errors import StartRefused, Unavailable

_log = structlog.get_logger(__name__)
_SLICE: Final = 0.2
"""Seconds of one fetch: a new assignment is noticed after as long."""
_GLANCE: Final = 0.02
"""Seconds of one fetch from a broker that answers at once, before it is left alone for `pace`."""


class KafkaConsumer:
    """See `Consumer`. After an error that ends a stay in the group, or an outage, the next `poll` begins another."""

    def __init__(self, link: Link, group: str, *, topics: Sequence[str], assigned: Assigned) -> None:
        self._link = link
        self._group = group
        self._names = topics
        self._assigned = assigned
        self._member: Membership | None = None
        self._closed = False
        self._silent_since: float | None = None

    async def open(self) -> None:
        """Begins to join; raises `Unavailable`."""
        await self._present()

    async def poll(self, *, limit: int, timeout: float) -> list[Record]:
        """See `Consumer.poll`."""
        if self._closed:
            raise RuntimeError("the consumer is closed")
        deadline = time.monotonic() + timeout
        while True:
            member = await self._present()
            await self._settle(member)
            records = await self._fetch(member, limit, rest=max(0.0, deadline - time.monotonic()))
            if records:
                self._silent_since = None
                return records
            if time.monotonic() >= deadline:
                await self._check(member)
                return []

    async def commit(self, offsets: Offsets) -> None:
        """See `Consumer.commit`."""
        if self._member is None:
            raise Unavailable(f"{self._group} is in no group at the moment")
        outer = self._link.outer
        await self._member.commit({TopicPartition(outer(p.topic), p.number): at for p, at in offsets.items()})

    async def close(self) -> None:
        """See `Consumer.close`."""
        self._closed = True
        await self._leave()

    async def _present(self) -> Membership:
        if self._member is None:
            self._member = await joined(self._link, self._group, topics=self._names)
        return self._member

    async def _leave(self) -> None:
        member, self._member = self._member, None
        if member is not None:
            await member.leave()

    async def _settle(self, member: Membership) -> None:
        """Asks where reading begins in what was assigned; asked again later if that fails or is overtaken."""
        while member.unplaced:
            revision = member.revision
            asked = {each: Partition(self._link.inner(each.topic), each.partition) for each in member.unplaced}
            starts = await self._assigned(sorted(asked.values()))
            edges = await member.edges()
            if member.revision != revision:
                continue
            for each, partition in asked.items():
                member.place(each, self._start(partition, starts.get(partition), edges=edges[each]))

    def _start(self, partition: Partition, wanted: int | None, *, edges: tuple[int, int]) -> int:
        oldest, following = edges
        if wanted is None:
            return oldest
        if wanted > following:
            raise StartRefused(
                f"{self._group} has read {partition.topic} ({partition.number}) up to {wanted}, but the bus ends at "
                f"{following}: it is another one"
            )
        if wanted < oldest:
            _log.error(
                "records expired unread", group=self._group, topic=partition.topic, first=wanted, last=oldest - 1
            )
        return max(wanted, oldest)

    async def _fetch(self, member: Membership, limit: int, *, rest: float) -> list[Record]:
        pace = self._link.settings.pace
        try:
            found = await member.fetch(limit, timeout=min(rest, _GLANCE if pace else _SLICE))
        except Exception as error:
            if not is_outage(error):
                raise
            await self._leave()
            raise Unavailable(f"Kafka, group {self._group}: {reason(error)}") from error
        if pace and not found and rest:
            await self._rest(member, min(rest, pace))
        return [record_of(record, self._link.inner(record.topic)) for record in found]

    async def _rest(self, member: Membership, seconds: float) -> None:
        """Fetches nothing for a while: the broker would answer "nothing" at once, again and again."""
        resting = [each for each in member.consumer.assignment() if each not in member.unplaced]
        revision = member.revision
        member.consumer.pause(*resting)
        try:
            await asyncio.sleep(seconds)
        finally:
            if member.revision == revision:
                member.consumer.resume(*resting)

    async def _check(self, member: Membership) -> None:
        try:
            await member.check()
        except Unavailable:
            now = time.monotonic()
            self._silent_since = self._silent_since or now
            if now - self._silent_since > self._link.settings.session:
                # The place is lost by now, and the cluster may come back under other addresses.
                await self._leave()
            raise
        self._silent_since = None
