"""The bus port on one SQLite file: the same words as Kafka, one partition per topic (architecture 4.3)."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tams_common.bus.port import Assigned, Message, TopicStatus
from tams_common.bus.sqlite import log
from tams_common.bus.sqlite.consumer import SqliteConsumer
from tams_common.bus.sqlite.desk import DEFAULTS, Desk, Settings
from tams_common.clock import SECOND, Clock, system_clock
from tams_common.errors import Unavailable
from tams_common.events import Topic
from tams_common.ids import IdSource
from tams_common.ids import new_id as random_id

PRUNE_EVERY: Final = 60 * SECOND


class SqliteBus:
    """A durable log in `directory/bus.sqlite`, shared by the processes of one machine.

    Without a directory it is a private temporary one, not synced and removed at `close`. `clock` stamps records (for
    retention) and leases, so processes that share a file share a clock.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        clock: Clock = system_clock,
        new_id: IdSource = random_id,
        settings: Settings = DEFAULTS,
    ) -> None:
        self._desk = Desk(directory, clock=clock, settings=settings)
        self._clock = clock
        self._new_id = new_id
        self._pruned = 0

    @property
    def access(self) -> None:
        """See `Bus.access`: nobody else knows the file's words."""

    async def open(self) -> None:
        """See `Bus.open`; raises `StartRefused` for a file of a newer release."""
        await self._desk.open()

    async def close(self) -> None:
        """See `Bus.close`."""
        await self._desk.close()

    async def apply(self, topics: Sequence[Topic]) -> None:
        """See `Bus.apply`."""
        await self._desk.create(topics)

    async def status(self, topics: Sequence[Topic]) -> list[TopicStatus]:
        """See `Bus.status`."""
        return await self._desk.read(log.status, topics)

    async def publish(self, messages: Sequence[Message]) -> Sequence[Message]:
        """See `Bus.publish`: all of them or none."""
        await self._desk.append(messages)
        now = self._clock()
        if now - self._pruned >= PRUNE_EVERY:
            # What is published is published, whether or not room could be made.
            with suppress(Unavailable):
                self._pruned = 0 if await self._desk.jot(log.prune, now=now) else now
        return ()

    async def consumer(self, group: str, topics: Sequence[str], *, assigned: Assigned) -> SqliteConsumer:
        """See `Bus.consumer`."""
        unknown = await self._desk.read(log.unknown, topics)
        if unknown:
            raise Unavailable(f"the topic {unknown[0]} does not exist")
        return SqliteConsumer(self._desk, log.Member(group, self._new_id()), topics=topics, assigned=assigned)
