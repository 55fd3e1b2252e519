"""What a bus keeps that several processes share, when one of them is killed or falls silent."""

from abc import abstractmethod

from tams_common.bus import Bus
from tests.common.bus.contract import BusContract
from tests.common.bus.reading import Reader, message, messages
from tests.common.child import child

CHILD = "tests.common.bus.bus_child"


class SharedBusContract(BusContract):
    """Subclasses say under which URL other processes find the bus."""

    @property
    @abstractmethod
    def url(self) -> str:
        """As in `TAMS_BUS_URL`."""

    async def test_what_another_process_publishes_arrives(self, bus: Bus, topic: str, group: str) -> None:
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        await consumer.poll(limit=1, timeout=0)
        async with child(CHILD, "publish", self.url, topic, "25") as publisher:
            await reader.read(consumer, 25)
            assert await publisher.ended() == 0
        await consumer.close()
        assert reader.ids == [f"key-{number}" for number in range(25)]

    async def test_a_killed_publisher_loses_nothing_acknowledged(self, bus: Bus, topic: str, group: str) -> None:
        async with child(CHILD, "publish", self.url, topic, "1000000") as publisher:
            told = [await publisher.tell() for _ in range(20)]
            told += await publisher.kill()
        acknowledged = [f"key-{number}" for number in range(int(told[-1]) + 1)]
        await bus.publish([message(topic, 0, key="end")])
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        while "end-0" not in reader.ids or len(reader.ids) <= len(acknowledged):
            reader.take(await consumer.poll(limit=1000, timeout=1))
        await consumer.close()
        found = reader.ids_of("key")
        assert found[: len(acknowledged)] == acknowledged
        assert found == [f"key-{number}" for number in range(len(found))]

    async def test_a_killed_member_is_succeeded(self, bus: Bus, topic: str, group: str) -> None:
        reader = Reader()
        await bus.publish(messages(topic, range(10)))
        async with child(CHILD, "consume", self.url, topic, group) as member:
            assert [await member.tell() for _ in range(10)] == [f"key-{number}" for number in range(10)]
            consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
            assert await consumer.poll(limit=1, timeout=0) == []
            await member.kill()
        await reader.read(consumer, 10)
        await consumer.close()
        assert reader.ids == [f"key-{number}" for number in range(10)]
