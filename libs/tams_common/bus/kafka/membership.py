"""A member of a consumer group, as aiokafka plays it. What is assigned stays silent until it is told where to begin."""

import asyncio
import time
from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import NoOffsetForPartitionError, OffsetOutOfRangeError

from tams_common.bus.kafka.link import Link, reason

_log = structlog.get_logger(__name__)
_FETCHED: Final = 8 * 1024 * 1024
_FETCHED_OF_ONE: Final = 512 * 1024
"""Bytes that are fetched ahead at most, from a broker and of a partition."""
_FRESH: Final = 2000
"""Milliseconds for which an answered fetch proves that the cluster is there; a fetch waits for 500 at most."""


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    """One stay in `group`, from `join` until `leave`.

    `unplaced` are the partitions that were assigned and paused and have not been told where to begin. `revision` counts
    assignments: what was found out under another one is void.
    """

    def __init__(self, link: Link, group: str) -> None:
        settings = link.settings
        self._link = link
        self._group = group
        self.unplaced: set[TopicPartition] = set()
        self.revision = 0
        self.consumer = AIOKafkaConsumer(
            **link.arguments(),
            group_id=link.outer(group),
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_committed",
            fetch_max_bytes=_FETCHED,
            max_partition_fetch_bytes=_FETCHED_OF_ONE,
            session_timeout_ms=int(settings.session * 1000),
            heartbeat_interval_ms=int(settings.session * 1000 / 3),
            # Who leads the group may have to assign partitions while the cluster does not tell him of any, as after an
            # outage. He does so anew when he hears of them, and would not ask for minutes.
            metadata_max_age_ms=int(settings.session * 1000),
        )

    async def join(self, topics: Iterable[str]) -> None:
        """Connects and begins to join; raises `Unavailable`."""
        with self._link.failures():
            async with asyncio.timeout(self._link.settings.timeout):
                await self.consumer.start()
            self.consumer.subscribe([self._link.outer(topic) for topic in topics], listener=self)

    async def leave(self) -> None:
        """Leaves the group at once where the cluster can be told; never raises."""
        stopping = asyncio.ensure_future(self.consumer.stop())
        await asyncio.wait([stopping])
        if stopping.cancelled() or stopping.exception():
            error = None if stopping.cancelled() else stopping.exception()
            _log.info("left the group without a word", group=self._group, reason=reason(error) if error else "away")
            await self._finish()

    async def _finish(self) -> None:
        """What `stop` leaves undone where it falls over a fetch that it cancels between two tries."""
        fetcher = self.consumer._fetcher
        if fetcher is not None:
            tasks = [fetcher._fetch_task, *fetcher._pending_tasks]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self.consumer._client.close()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """aiokafka's call before another assignment."""
        self.revision += 1
        self.unplaced.clear()

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """aiokafka's call after an assignment. A place, though a wrong one, keeps it from asking for the committed."""
        self.revision += 1
        self.unplaced = set(assigned)
        for partition in assigned:
            self.consumer.seek(partition, 0)
            self.consumer.pause(partition)

    async def edges(self) -> dict[TopicPartition, tuple[int, int]]:
        """For each unplaced partition the oldest offset and the next; raises `Unavailable`."""
        partitions = sorted(self.unplaced)
        with self._link.failures():
            oldest = await self.consumer.beginning_offsets(partitions)
            following = await self.consumer.end_offsets(partitions)
        return {partition: (oldest[partition], following[partition]) for partition in partitions}

    def place(self, partition: TopicPartition, offset: int) -> None:
        """Begins to read `partition` at `offset`."""
        self.consumer.seek(partition, offset)
        self.consumer.resume(partition)
        self.unplaced.discard(partition)

    async def fetch(self, limit: int, *, timeout: float) -> list[ConsumerRecord]:
        """Up to `limit` records within `timeout` seconds; raises aiokafka's errors when this stay is over."""
        try:
            async with asyncio.timeout(timeout):
                found = await self.consumer.getmany(timeout_ms=int(timeout * 1000), max_records=limit)
        except TimeoutError:
            return []
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as error:
            _log.warning("reading place is not in the log", group=self._group, reason=reason(error))
            await self.on_partitions_assigned(self.consumer.assignment())
            return []
        # Those of a partition that was assigned a moment ago were fetched from the place that stands for none.
        return [record for partition, records in found.items() if partition not in self.unplaced for record in records]

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        """Notes `offsets` of partitions that are ours; raises `Unavailable`."""
        assigned = self.consumer.assignment()
        ours = {partition: at for partition, at in offsets.items() if partition in assigned}
        if not ours:
            return
        with self._link.failures():
            async with asyncio.timeout(self._link.settings.timeout):
                await self.consumer.commit(ours)

    async def check(self) -> None:
        """Raises `Unavailable` when the cluster does not answer."""
        now = int(time.time() * 1000)
        stamps = [self.consumer.last_poll_timestamp(partition) for partition in self.consumer.assignment()]
        if any(stamp is not None and now - stamp < _FRESH for stamp in stamps):
            return
        with self._link.failures():
            async with asyncio.timeout(self._link.settings.timeout):
                await self.consumer.topics()


async def joined(link: Link, group: str, *, topics: Iterable[str]) -> Membership:
    """A member that is joining `group`; raises `Unavailable`."""
    member = Membership(link, group)
    try:
        await member.join(topics)
    except BaseException:
        await member.leave()
        raise
    return member
