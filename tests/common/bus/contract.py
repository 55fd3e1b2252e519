"""What every bus keeps, whatever it is made of. Nothing here knows how many partitions a topic has."""

import asyncio
import itertools
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager

import pytest
import pytest_asyncio

from tams_common.bus import Bus, Message, Offsets, Partition, Topic
from tams_common.errors import StartRefused, Unavailable
from tams_common.ids import new_id
from tests.common.bus.reading import Reader, message, messages
from tests.common.eventually import PATIENCE, eventually


class BusContract(ABC):
    """Subclasses say how a bus is made and how it is taken away."""

    @abstractmethod
    def make(self) -> Bus:
        """A bus, not opened yet."""

    @abstractmethod
    def outage(self) -> AbstractAsyncContextManager[None]:
        """While this lasts the bus cannot be reached."""

    @pytest_asyncio.fixture
    async def bus(self) -> AsyncIterator[Bus]:
        bus = self.make()
        await bus.open()
        yield bus
        await bus.close()

    @pytest_asyncio.fixture
    async def topic(self, bus: Bus) -> str:
        name = f"t.{new_id()}"
        await bus.apply([Topic(name, partitions=3)])
        return name

    @pytest.fixture
    def group(self) -> str:
        """One of its own for each test: a member that a test leaves for dead would hold up the next one's."""
        return f"g.{new_id()}"

    async def test_a_message_arrives_as_it_was_sent(self, bus: Bus, topic: str, group: str) -> None:
        sent = [
            Message(
                topic=topic, key="flow", id="1", value=b'{"a":1}', headers={"ce_type": "flows/created", "x": "ünï"}
            ),
            Message(topic=topic, key="schlüssel", id="2", value=bytes(range(256)) * 256),
            Message(topic=topic, key="flow", id="3", value=b"", headers={"empty": ""}),
        ]
        assert not await bus.publish(sent)
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        read = await reader.read(consumer, len(sent))
        await consumer.close()
        assert sorted((r.id, r.key, r.value, sorted(r.headers.items())) for r in read) == [
            (m.id, m.key, m.value, sorted(m.headers.items())) for m in sent
        ]
        assert {record.partition.topic for record in read} == {topic}

    async def test_the_order_of_a_key_is_kept(self, bus: Bus, topic: str, group: str) -> None:
        keys = [f"key{number}" for number in range(7)]
        for first in range(0, 100, 20):
            batch = messages(topic, range(first, first + 20), keys=keys)
            assert not await bus.publish(batch)
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        await reader.read(consumer, 700, limit=33)
        await consumer.close()
        for key in keys:
            assert reader.ids_of(key) == [f"{key}-{number}" for number in range(100)]

    async def test_publishers_side_by_side_each_keep_their_order(self, bus: Bus, topic: str, group: str) -> None:
        async def publish(key: str) -> None:
            for number in range(30):
                assert not await bus.publish([message(topic, number, key=key)])

        keys = [f"key{number}" for number in range(8)]
        await asyncio.gather(*map(publish, keys))
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        await reader.read(consumer, 240)
        await consumer.close()
        for key in keys:
            assert reader.ids_of(key) == [f"{key}-{number}" for number in range(30)]

    async def test_offsets_rise_within_a_partition(self, bus: Bus, topic: str, group: str) -> None:
        await bus.publish(messages(topic, range(20), keys=("a", "b", "c", "d")))
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        records = await reader.read(consumer, 80)
        await consumer.close()
        partitions = {record.partition for record in records}
        for partition in partitions:
            offsets = [record.offset for record in records if record.partition == partition]
            assert all(low < high for low, high in itertools.pairwise(offsets))

    async def test_reading_starts_where_assignment_says(self, bus: Bus, topic: str, group: str) -> None:
        keys = ("a", "b", "c")
        await bus.publish(messages(topic, range(10), keys=keys))
        first = Reader()
        consumer = await bus.consumer(group, [topic], assigned=first.assigned)
        await first.read(consumer, 30)
        await consumer.close()
        middle = {record.partition: record.offset for record in first.records[:15]}

        second = Reader()
        second.places.update(middle)
        consumer = await bus.consumer(group, [topic], assigned=second.assigned)
        expected = [r for r in first.records if r.offset >= middle.get(r.partition, 0)]
        read = await second.read(consumer, len(expected))
        await consumer.close()
        assert sorted(r.id for r in read) == sorted(r.id for r in expected)

    async def test_commits_do_not_move_the_reading_place(self, bus: Bus, topic: str, group: str) -> None:
        await bus.publish(messages(topic, range(10)))
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        await reader.read(consumer, 10)
        await consumer.commit(reader.places)
        await consumer.close()
        again = Reader()
        consumer = await bus.consumer(group, [topic], assigned=again.assigned)
        assert len(await again.read(consumer, 10)) == 10
        await consumer.close()

    async def test_progress_in_what_is_no_longer_ours_is_no_error(self, bus: Bus, topic: str, group: str) -> None:
        await bus.publish(messages(topic, range(1)))
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        await reader.read(consumer, 1)
        await consumer.commit({Partition(topic, 1000): 1})
        await consumer.close()

    async def test_a_place_beyond_the_end_is_of_another_log(self, bus: Bus, topic: str, group: str) -> None:
        async def far(partitions: Sequence[Partition]) -> Offsets:
            return dict.fromkeys(partitions, 1000)

        await bus.publish([message(topic, 0)])
        consumer = await bus.consumer(group, [topic], assigned=far)
        with pytest.raises(StartRefused, match=r"1000"):
            await Reader().read(consumer, 1)
        await consumer.close()

    async def test_every_group_reads_everything(self, bus: Bus, topic: str) -> None:
        await bus.publish(messages(topic, range(5)))
        for name in ("one", "two"):
            reader = Reader()
            consumer = await bus.consumer(name, [topic], assigned=reader.assigned)
            await reader.read(consumer, 5)
            await consumer.close()
            assert reader.ids == [f"key-{number}" for number in range(5)]

    async def test_topics_are_apart_and_one_consumer_reads_several(self, bus: Bus, topic: str, group: str) -> None:
        other = f"t.{new_id()}"
        await bus.apply([Topic(other)])
        both = [*messages(topic, range(50), keys=("a",)), *messages(other, range(50), keys=("b",))]
        assert not await bus.publish(both)
        reader = Reader()
        consumer = await bus.consumer(group, [topic, other], assigned=reader.assigned)
        await reader.read(consumer, 100, limit=7)
        await consumer.close()
        assert [record.id for record in reader.records if record.partition.topic == topic] == reader.ids_of("a")
        assert [record.id for record in reader.records if record.partition.topic == other] == reader.ids_of("b")

    async def test_poll_returns_nothing_when_there_is_nothing(self, bus: Bus, topic: str, group: str) -> None:
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        assert await consumer.poll(limit=10, timeout=0) == []
        assert await consumer.poll(limit=10, timeout=0.01) == []
        await consumer.close()

    async def test_poll_never_returns_more_than_asked(self, bus: Bus, topic: str, group: str) -> None:
        await bus.publish(messages(topic, range(10), keys=("a", "b")))
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        while len(reader.records) < 20:
            records = await consumer.poll(limit=3, timeout=1)
            assert len(records) <= 3
            reader.take(records)
        await consumer.close()

    async def test_a_poll_that_waits_is_woken(self, bus: Bus, topic: str, group: str) -> None:
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        reading = asyncio.create_task(reader.read(consumer, 1))
        await eventually(lambda: reader.assignments)
        await bus.publish([message(topic, 0)])
        assert [record.id for record in await reading] == ["key-0"]
        await consumer.close()

    async def test_a_poll_can_be_cancelled_whatever_arrives(self, bus: Bus, topic: str, group: str) -> None:
        consumer = await bus.consumer(group, [topic], assigned=Reader().assigned)
        await consumer.poll(limit=1, timeout=0)
        for number in range(20):
            polling = asyncio.create_task(consumer.poll(limit=1, timeout=PATIENCE))
            await asyncio.sleep(0)
            publishing = asyncio.create_task(bus.publish([message(topic, number)]))
            await asyncio.wait([polling, publishing], return_when=asyncio.FIRST_COMPLETED)
            polling.cancel()
            await asyncio.wait([polling, publishing])
            assert polling.cancelled() or polling.result()
        await consumer.close()

    async def test_topics_that_exist_stay_as_they_are(self, bus: Bus, topic: str, group: str) -> None:
        await bus.publish([message(topic, 0)])
        await bus.apply([Topic(topic, partitions=1, retention_hours=1), Topic(f"t.{new_id()}")])
        await bus.publish([message(topic, 1)])
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        await reader.read(consumer, 2)
        await consumer.close()
        assert reader.ids == ["key-0", "key-1"]

    async def test_topics_say_how_they_stand(self, bus: Bus, topic: str) -> None:
        there, absent = await bus.status([Topic(topic, partitions=1), Topic("t.nobody")])
        assert (there.name, there.retention_hours, there.cleanup, there.drift) == (topic, 24 * 7, "delete", ())
        assert there.partitions in {1, 3}
        assert (absent.partitions, absent.drift) == (None, ("absent",))
        (other,) = await bus.status([Topic(topic, partitions=1, retention_hours=None)])
        assert other.retention_hours == 24 * 7
        assert len(other.drift) == 1

    async def test_an_unknown_topic_takes_nothing(self, bus: Bus, topic: str, group: str) -> None:
        with pytest.raises(Unavailable, match="nobody"):
            await bus.publish([message("t.nobody", 0)])
        with pytest.raises(Unavailable, match="nobody"):
            await bus.consumer(group, ["t.nobody"], assigned=Reader().assigned)

    async def test_nothing_is_published_by_publishing_nothing(self, bus: Bus) -> None:
        assert not await bus.publish([])

    async def test_a_failed_assignment_is_asked_again(self, bus: Bus, topic: str, group: str) -> None:
        await bus.publish(messages(topic, range(3)))
        reader = Reader()
        failures = [Unavailable("the tables are down")]

        async def assigned(partitions: Sequence[Partition]) -> Offsets:
            if failures:
                raise failures.pop()
            return await reader.assigned(partitions)

        consumer = await bus.consumer(group, [topic], assigned=assigned)
        with pytest.raises(Unavailable, match="tables"):
            await Reader().read(consumer, 1)
        await reader.read(consumer, 3)
        await consumer.close()
        assert reader.ids == ["key-0", "key-1", "key-2"]

    async def test_a_member_that_leaves_hands_over(self, bus: Bus, topic: str, group: str) -> None:
        reader = Reader()
        first = await bus.consumer(group, [topic], assigned=reader.assigned)
        await bus.publish(messages(topic, range(5), keys=("a", "b", "c")))
        await reader.read(first, 15)
        second = await bus.consumer(group, [topic], assigned=reader.assigned)
        await bus.publish(messages(topic, range(5, 10), keys=("a", "b", "c")))
        await first.close()
        await reader.read(second, 30)
        await second.close()
        for key in ("a", "b", "c"):
            assert reader.ids_of(key) == [f"{key}-{number}" for number in range(10)]

    async def test_members_of_a_group_share_the_work(self, bus: Bus, topic: str, group: str) -> None:
        reader = Reader()
        members = [await bus.consumer(group, [topic], assigned=reader.assigned) for _ in range(2)]

        async def work(number: int) -> None:
            while len(reader.records) < 200:
                reader.take(await members[number].poll(limit=5, timeout=0.1))

        async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as tasks:
            for number in range(len(members)):
                tasks.create_task(work(number))
            for number in range(50):
                await bus.publish(messages(topic, [number], keys=("a", "b", "c", "d")))
        for member in members:
            await member.close()
        for key in ("a", "b", "c", "d"):
            assert reader.ids_of(key) == [f"{key}-{number}" for number in range(50)]

    async def test_every_method_says_that_the_bus_is_down(self, bus: Bus, topic: str, group: str) -> None:
        reader = Reader()
        consumer = await bus.consumer(group, [topic], assigned=reader.assigned)
        await bus.publish(messages(topic, range(3)))
        await reader.read(consumer, 3)
        async with self.outage():
            with pytest.raises(Unavailable):
                await bus.publish([message(topic, 99)])
            with pytest.raises(Unavailable):
                await bus.apply([Topic("t.later")])
            with pytest.raises(Unavailable):
                await bus.status([Topic(topic)])
            with pytest.raises(Unavailable):
                await bus.consumer("h", [topic], assigned=Reader().assigned)
            with pytest.raises(Unavailable):
                await consumer.commit(reader.places)
            with pytest.raises(Unavailable):
                await reader.read(consumer, 4)
        await bus.publish(messages(topic, range(3, 6)))
        await reader.read(consumer, 6)
        await consumer.close()
        assert [number for number in reader.ids if number != "key-99"] == [f"key-{number}" for number in range(6)]

    async def test_members_leave_while_the_bus_is_down(self, bus: Bus, topic: str, group: str) -> None:
        consumer = await bus.consumer(group, [topic], assigned=Reader().assigned)
        await consumer.poll(limit=1, timeout=0)
        async with self.outage():
            await consumer.close()

    async def test_a_bus_that_is_not_open_is_unavailable(self, bus: Bus, topic: str) -> None:
        closed = self.make()
        with pytest.raises(Unavailable):
            await closed.publish([message(topic, 0)])
        with pytest.raises(Unavailable):
            await closed.apply([Topic(topic)])
        with pytest.raises(Unavailable):
            await closed.consumer("g", [topic], assigned=Reader().assigned)
