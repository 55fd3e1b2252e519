"""Words for tests of a bus: messages, and a reader that keeps its place as consumers do."""

import asyncio
from collections.abc import Iterable, Sequence

from tams_common.bus import Consumer, Message, Offsets, Partition, Record
from tests.common.eventually import PATIENCE


def message(topic: str, number: int, *, key: str = "key") -> Message:
    """Message `number` of a topic; its id says the key and the number."""
    return Message(topic=topic, key=key, id=f"{key}-{number}", value=b"%d" % number, headers={"number": str(number)})


def messages(topic: str, numbers: Iterable[int], *, keys: Sequence[str] = ("key",)) -> list[Message]:
    """For each number a message of each key."""
    return [message(topic, number, key=key) for number in numbers for key in keys]


class Reader:
    """What a group has read, and how far: shared by its members as tables would be.

    A record before the place reached is skipped, as every consumer does: that alone makes reading exact.
    """

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.places: dict[Partition, int] = {}
        self.assignments: list[Partition] = []

    async def assigned(self, partitions: Sequence[Partition]) -> Offsets:
        self.assignments.extend(partitions)
        return {partition: self.places[partition] for partition in partitions if partition in self.places}

    def take(self, records: Iterable[Record]) -> None:
        for record in records:
            if record.offset >= self.places.get(record.partition, 0):
                self.places[record.partition] = record.offset + 1
                self.records.append(record)

    async def read(self, consumer: Consumer, count: int, *, limit: int = 100) -> list[Record]:
        """Polls until there are `count` records altogether; returns all of them."""
        async with asyncio.timeout(PATIENCE):
            while len(self.records) < count:
                self.take(await consumer.poll(limit=limit, timeout=1))
        return self.records

    @property
    def ids(self) -> list[str]:
        return [record.id for record in self.records]

    def ids_of(self, key: str) -> list[str]:
        """The ids of one key, in the order in which they were read."""
        return [record.id for record in self.records if record.key == key]
