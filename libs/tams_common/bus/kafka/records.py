"""Messages and records as Kafka's bytes: keys are UTF-8, an event's id is the header `ce_id` (CloudEvents, binary)."""

from collections.abc import Sequence
from typing import Final

from aiokafka import ConsumerRecord
from aiokafka.partitioner import murmur2

from tams_common.bus.port import Message, Partition, Record

ID: Final = "ce_id"


def headers_of(message: Message) -> list[tuple[str, bytes]]:
    """The headers of `message` on the wire."""
    return [(ID, message.id.encode()), *((name, value.encode()) for name, value in message.headers.items())]


def partition_of(key: bytes, count: int) -> int:
    """Where `key` lies among `count` partitions: as every Kafka client reckons."""
    return int(murmur2(key) & 0x7FFFFFFF) % count


def record_of(found: ConsumerRecord, topic: str) -> Record:
    """A record of `topic`. What others have written there may lack a key, a value or an id: these are then empty."""
    headers = _text(found.headers)
    return Record(
        partition=Partition(topic, found.partition),
        offset=found.offset,
        key=(found.key or b"").decode(errors="backslashreplace"),
        id=headers.pop(ID, ""),
        value=found.value or b"",
        headers=headers,
    )


def _text(headers: Sequence[tuple[str, bytes | None]]) -> dict[str, str]:
    return {name: (value or b"").decode(errors="backslashreplace") for name, value in headers}
