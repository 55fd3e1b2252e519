"""What only a Kafka bus can do or suffer: partitions, other writers, retention, rebalances, odd brokers."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tams_common.bus import Partition, Topic
from tams_common.bus.cloudevents import from_record, to_message
from tams_common.bus.kafka import KafkaBus, settings_of
from tams_common.errors import InvalidInput, Unavailable
from tams_common.events import FLOWS, Subject, flow_deleted
from tams_common.ids import EventId, FlowId, new_id
from tests.common.bus.reading import Reader, message, messages
from tests.common.eventually import eventually
from tests.common.ledger import running
from tests.kafka import PASSWORD, USER, Kafka, new_prefix


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[KafkaBus]:
    """A bus at `url`."""
    bus = KafkaBus(settings_of(url))
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


@pytest.fixture
def prefix() -> str:
    return new_prefix()


@pytest_asyncio.fixture
async def bus(kafka: Kafka, prefix: str) -> AsyncIterator[KafkaBus]:
    await kafka.make(prefix, Topic("t", partitions=3))
    async with opened(kafka.url(prefix=prefix)) as bus:
        yield bus


async def read_all(bus: KafkaBus, count: int, *, topic: str = "t") -> Reader:
    """Reads `count` records with a group of its own."""
    reader = Reader()
    consumer = await bus.consumer(new_id(), [topic], assigned=reader.assigned)
    await reader.read(consumer, count)
    await consumer.close()
    return reader


async def test_keys_are_spread_and_each_stays_where_it_is(bus: KafkaBus) -> None:
    keys = [f"key{number}" for number in range(20)]
    await bus.publish(messages("t", range(3), keys=keys))
    reader = await read_all(bus, 60)
    places = {(record.key, record.partition.number) for record in reader.records}
    assert len(places) == len(keys)
    assert {number for _, number in places} == {0, 1, 2}


async def test_keys_lie_where_other_clients_put_them(kafka: Kafka, bus: KafkaBus, prefix: str) -> None:
    keys = [f"schlüssel{number}" for number in range(20)]
    await bus.publish(messages("t", [0], keys=keys))
    async with AIOKafkaProducer(bootstrap_servers=kafka.address) as other:
        for key in keys:
            await other.send_and_wait(f"{prefix}t", b"", key=key.encode())
    reader = await read_all(bus, 40)
    assert len({(record.key, record.partition) for record in reader.records}) == len(keys)


async def test_an_event_is_a_cloudevent_in_binary_mode(kafka: Kafka, bus: KafkaBus, prefix: str) -> None:
    draft = flow_deleted(Subject(flow_id=FlowId("f-1")))
    envelope = draft.seal(id=EventId("e-1"), at=1_700_000_000_123_456_789)
    await bus.apply([Topic(FLOWS, partitions=1)])
    await bus.publish([to_message(envelope)])
    topic = f"{prefix}{FLOWS}"
    async with AIOKafkaConsumer(topic, bootstrap_servers=kafka.address, auto_offset_reset="earliest") as other:
        found = await other.getone()
    assert (found.key, found.value) == (b"f-1", envelope.value)
    assert dict(found.headers) == {
        "ce_id": b"e-1",
        "ce_specversion": b"1.0",
        "ce_type": b"flows/deleted",
        "ce_source": b"/tams/flows",
        "ce_time": b"2023-11-14T22:13:20.123456Z",
        "ce_subject": b"f-1",
        "ce_at": b"1700000000123456789",
        "ce_flowid": b"f-1",
        "content-type": b"application/json",
    }
    assert found.headers[0] == ("ce_id", b"e-1")
    assert from_record((await read_all(bus, 1, topic=FLOWS)).records[0]) == envelope


async def test_what_others_write_is_read_and_is_no_event(kafka: Kafka, bus: KafkaBus, prefix: str) -> None:
    async with AIOKafkaProducer(bootstrap_servers=kafka.address) as other:
        await other.send_and_wait(f"{prefix}t", b"bare", partition=0)
        await other.send_and_wait(f"{prefix}t", None, key=b"\xff", headers=[("ce_id", b"\xfe")], partition=0)
    records = (await read_all(bus, 2)).records
    assert [(record.key, record.id, record.value) for record in records] == [("", "", b"bare"), ("\\xff", "\\xfe", b"")]
    for record in records:
        with pytest.raises(InvalidInput):
            from_record(record)


async def test_a_place_that_retention_has_passed_becomes_the_oldest(kafka: Kafka, bus: KafkaBus, prefix: str) -> None:
    await bus.publish(messages("t", range(10)))
    first = await read_all(bus, 4)
    (partition,) = first.places
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await admin.start()
    await admin.delete_records({TopicPartition(f"{prefix}t", partition.number): RecordsToDelete(before_offset=7)})
    await admin.close()
    late, fresh = Reader(), Reader()
    late.places[partition] = 4
    for reader in (late, fresh):
        consumer = await bus.consumer(new_id(), ["t"], assigned=reader.assigned)
        await reader.read(consumer, 3)
        await consumer.close()
        assert reader.ids == ["key-7", "key-8", "key-9"]


async def test_a_record_that_goes_while_its_reader_waits_is_passed_over(
    kafka: Kafka, bus: KafkaBus, prefix: str
) -> None:
    await bus.publish(messages("t", range(10)))
    reader = Reader()
    consumer = await bus.consumer(new_id(), ["t"], assigned=reader.assigned)
    await reader.read(consumer, 1, limit=1)
    (partition,) = reader.places
    await consumer.close()
    consumer = await bus.consumer(new_id(), ["t"], assigned=reader.assigned)
    await consumer.poll(limit=1, timeout=0)
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await admin.start()
    await admin.delete_records({TopicPartition(f"{prefix}t", partition.number): RecordsToDelete(before_offset=10)})
    await admin.close()
    await bus.publish([message("t", 10)])
    while reader.ids[-1] != "key-10":
        reader.take(await consumer.poll(limit=10, timeout=1))
    await consumer.close()


async def test_topics_are_made_as_declared_and_never_widened(bus: KafkaBus) -> None:
    declared = [Topic("short", partitions=2, retention_hours=3), Topic("long", partitions=1, retention_hours=None)]
    await bus.apply(declared)
    await bus.apply(declared)
    short, long = await bus.status(declared)
    assert (short.partitions, short.retention_hours, short.cleanup, short.drift) == (2, 3, "delete", ())
    assert (long.partitions, long.retention_hours, long.cleanup, long.drift) == (1, None, "delete", ())
    wider = Topic("short", partitions=5, retention_hours=4)
    await bus.apply([wider])
    (still,) = await bus.status([wider])
    assert (still.partitions, still.retention_hours) == (2, 3)
    assert still.drift == ("5 partitions declared", "retention of 4 h declared")


async def test_where_topics_are_not_ours_to_make_they_must_be_there(kafka: Kafka, bus: KafkaBus, prefix: str) -> None:
    async with opened(kafka.url(prefix=prefix, create_topics="false")) as guest:
        await guest.apply([Topic("t")])
        with pytest.raises(Unavailable, match="absent does not exist"):
            await guest.apply([Topic("t"), Topic("absent")])


async def test_stores_with_prefixes_of_their_own_do_not_meet(kafka: Kafka, bus: KafkaBus) -> None:
    async with opened(kafka.url(prefix=new_prefix())) as other:
        with pytest.raises(Unavailable, match="topic t does not exist"):
            await other.publish([message("t", 0)])
        await other.apply([Topic("t")])
        await other.publish([message("t", 1)])
        await bus.publish([message("t", 2)])
        assert (await read_all(other, 1)).ids == ["key-1"]
        assert (await read_all(bus, 1)).ids == ["key-2"]


@pytest.mark.parametrize("settings", [{"compression": "gzip"}, {"idempotence": "true"}, {"batch_bytes": 131072}])
async def test_other_ways_of_sending_say_the_same(kafka: Kafka, prefix: str, settings: dict[str, object]) -> None:
    async with opened(kafka.url(prefix=prefix, **settings)) as bus:
        await bus.apply([Topic("t", partitions=2)])
        sent = [
            type(each)(topic="t", key=each.key, id=each.id, value=each.value * 20_000)
            for each in messages("t", range(20), keys=("a", "b"))
        ]
        assert not await bus.publish(sent)
        reader = await read_all(bus, 40)
    for key in ("a", "b"):
        assert reader.ids_of(key) == [f"{key}-{number}" for number in range(20)]


async def test_a_record_may_be_larger_than_a_batch(kafka: Kafka, prefix: str) -> None:
    async with opened(kafka.url(prefix=prefix, batch_bytes=131072)) as bus:
        await bus.apply([Topic("t")])
        large = type(message("t", 0))(topic="t", key="key", id="large", value=bytes(300_000))
        assert not await bus.publish([message("t", 0), large, message("t", 1)])
        assert (await read_all(bus, 3)).ids == ["key-0", "large", "key-1"]


async def test_what_the_broker_refuses_stops_its_partition_only(bus: KafkaBus) -> None:
    keys = {partition: key for key, partition in (await places(bus)).items()}
    refused = type(message("t", 0))(topic="t", key=keys[0], id="huge", value=bytes(2_000_000))
    batch = [message("t", 0, key=keys[1]), refused, message("t", 1, key=keys[0]), message("t", 1, key=keys[1])]
    assert await bus.publish(batch) == batch[1:3], "the other partition's events need not be published again"
    with pytest.raises(Unavailable, match="took no event"):
        await bus.publish(batch[1:3])
    reader = await read_all(bus, 32)
    assert "huge" not in reader.ids
    assert f"{keys[0]}-1" not in reader.ids
    assert reader.ids_of(keys[1])[1:] == [f"{keys[1]}-{number}" for number in (0, 1)]


async def places(bus: KafkaBus) -> dict[str, int]:
    """For some keys the partitions in which they lie."""
    await bus.publish([message("t", 9, key=f"k{number}") for number in range(30)])
    return {record.key: record.partition.number for record in (await read_all(bus, 30)).records}


async def test_a_broker_that_never_waits_is_not_asked_all_the_time(kafka: Kafka, bus: KafkaBus, prefix: str) -> None:
    async with opened(kafka.url(prefix=prefix, pace=0.1)) as patient:
        reader = Reader()
        consumer = await patient.consumer("g", ["t"], assigned=reader.assigned)
        for number in range(5):
            assert await consumer.poll(limit=10, timeout=0.3) == []
            await bus.publish([message("t", number)])
            await reader.read(consumer, number + 1)
        await consumer.close()
    assert reader.ids == [f"key-{number}" for number in range(5)]


async def test_a_member_takes_part_of_the_work_of_one_that_keeps_polling(bus: KafkaBus) -> None:
    await bus.apply([Topic("wide", partitions=4)])
    everything = {Partition("wide", number) for number in range(4)}
    readers = [Reader(), Reader()]

    async def poll(reader: Reader) -> None:
        consumer = await bus.consumer("g", ["wide"], assigned=reader.assigned)
        try:
            while True:
                reader.take(await consumer.poll(limit=10, timeout=0.2))
        finally:
            await consumer.close()

    async with running(lambda: poll(readers[0])):
        await eventually(lambda: set(readers[0].assignments) == everything)
        async with running(lambda: poll(readers[1])):
            await eventually(lambda: set(readers[1].assignments[-2:]) | set(readers[0].assignments[-2:]) == everything)
        await eventually(lambda: set(readers[0].assignments[-4:]) == everything)


async def test_nothing_of_the_client_is_left_behind(kafka: Kafka, prefix: str) -> None:
    before = asyncio.all_tasks()
    async with opened(kafka.url(prefix=prefix)) as bus:
        await bus.apply([Topic("t")])
        await bus.publish(messages("t", range(10)))
        consumer = await bus.consumer("g", ["t"], assigned=Reader().assigned)
        await consumer.poll(limit=1, timeout=0.5)
        await consumer.close()
        joining = await bus.consumer("g", ["t"], assigned=Reader().assigned)
        await joining.close()
    assert asyncio.all_tasks() == before


async def test_a_closed_consumer_is_not_polled(bus: KafkaBus) -> None:
    consumer = await bus.consumer("g", ["t"], assigned=Reader().assigned)
    await consumer.close()
    with pytest.raises(RuntimeError):
        await consumer.poll(limit=1, timeout=0)


async def test_a_frozen_broker_is_given_up_in_time(kafka: Kafka, bus: KafkaBus) -> None:
    reader = Reader()
    consumer = await bus.consumer("g", ["t"], assigned=reader.assigned)
    await bus.publish([message("t", 0)])
    await reader.read(consumer, 1)
    async with kafka.frozen():
        started = time.monotonic()
        with pytest.raises(Unavailable):
            await bus.publish([message("t", 1)])
        with pytest.raises(Unavailable):
            await reader.read(consumer, 2)
        with pytest.raises(Unavailable):
            await consumer.commit(reader.places)
        assert time.monotonic() - started < 60
    await eventually(lambda: publishes(bus))
    await reader.read(consumer, 2)
    await consumer.close()
    assert set(reader.ids) == {"key-0", "key-1"}


async def publishes(bus: KafkaBus) -> bool:
    try:
        return not await bus.publish([message("t", 1)])
    except Unavailable:
        return False


async def test_tls_and_a_password(kafka: Kafka, prefix: str, tmp_path: Path) -> None:
    password = tmp_path / "password"
    password.write_text(PASSWORD)
    sasl: dict[str, object] = {"mechanism": "PLAIN", "username": USER, "password_file": password, "prefix": prefix}
    async with opened(kafka.secure_url(**sasl)) as bus:
        await bus.apply([Topic("t")])
        await bus.publish(messages("t", range(3)))
        assert (await read_all(bus, 3)).ids == ["key-0", "key-1", "key-2"]
    password.write_text("wrong")
    with pytest.raises(Unavailable):
        await KafkaBus(settings_of(kafka.secure_url(**sasl))).open()
