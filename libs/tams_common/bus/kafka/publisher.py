"""Sends messages: every partition's in order, one batch of it at a time, and none after one that failed."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

import structlog
from aiokafka import AIOKafkaProducer

from tams_common.bus.kafka.link import Link, is_outage, reason
from tams_common.bus.kafka.records import headers_of, partition_of
from tams_common.bus.kafka.topics import Topics
from tams_common.bus.port import Message
from tams_common.errors import StartRefused, Unavailable

_log = structlog.get_logger(__name__)
_PATIENCE: Final = 2.0
"""Times `timeout` for a publish: aiokafka gives up a batch after one, yet only between its tries."""

_Place: TypeAlias = tuple[str, int]
"""A topic of the cluster and the number of a partition."""


class _Round:
    """One publish: which of its messages are acknowledged, by their places in it, and what went wrong."""

    def __init__(self) -> None:
        self.acknowledged: set[int] = set()
        self.error: BaseException | None = None


class Publisher:
    """Publishes through `link`. Nothing stays in memory when a publish has ended: what failed is the caller's again."""

    def __init__(self, link: Link, topics: Topics) -> None:
        self._link = link
        self._topics = topics
        self._producer: Any = None
        self._known: set[str] = set()
        self._turn = asyncio.Lock()

    async def open(self) -> None:
        """Connects; raises `Unavailable`."""
        async with self._turn:
            await self._connected()

    async def close(self) -> None:
        """Disconnects."""
        async with self._turn:
            await self._drop()

    async def publish(self, messages: Sequence[Message]) -> Sequence[Message]:
        """See `Bus.publish`."""
        if not messages:
            return ()
        async with self._turn:
            producer = await self._connected()
            await self._check({message.topic for message in messages})
            done = _Round()
            try:
                async with asyncio.timeout(self._link.settings.timeout * _PATIENCE):
                    await self._send_all(producer, messages, done=done)
            except Exception as error:
                if not is_outage(error):
                    raise
                done.error = error
            if done.error is None:
                return ()
            hosts, why = ",".join(self._link.settings.hosts), reason(done.error)
            if not done.acknowledged:
                await self._drop()
                raise Unavailable(f"Kafka at {hosts} took no event: {why}") from done.error
            _log.warning("Kafka did not take all events", hosts=hosts, reason=why)
            return [message for place, message in enumerate(messages) if place not in done.acknowledged]

    async def _connected(self) -> Any:  # noqa: ANN401 — aiokafka has no types
        if self._producer is None:
            settings = self._link.settings
            with self._link.failures():
                producer = self._made()
                try:
                    async with asyncio.timeout(settings.timeout):
                        await producer.start()
                except BaseException:
                    await _abandon(producer)
                    raise
                self._producer = producer
        return self._producer

    def _made(self) -> Any:  # noqa: ANN401
        settings = self._link.settings
        try:
            return AIOKafkaProducer(
                **self._link.arguments(),
                acks="all",
                enable_idempotence=settings.idempotence,
                compression_type=None if settings.compression == "none" else settings.compression,
                max_batch_size=settings.batch_bytes,
            )
        except RuntimeError as error:
            raise StartRefused(
                f"configuration key TAMS_BUS_URL: compression={settings.compression}: {error}"
            ) from error

    async def _drop(self) -> None:
        producer, self._producer = self._producer, None
        self._known.clear()
        if producer is not None:
            await _abandon(producer)

    async def _check(self, names: set[str]) -> None:
        """Raises `Unavailable` for a topic that does not exist: to send to it might create it."""
        unknown = sorted(names - self._known)
        missing = await self._topics.missing(unknown) if unknown else []
        if missing:
            raise Unavailable(f"the topic {missing[0]} does not exist")
        self._known |= names

    async def _send_all(self, producer: Any, messages: Sequence[Message], *, done: _Round) -> None:  # noqa: ANN401
        lanes: dict[_Place, list[int]] = {}
        for index, message in enumerate(messages):
            topic = self._link.outer(message.topic)
            count = len(await producer.partitions_for(topic))
            lanes.setdefault((topic, partition_of(message.key.encode(), count)), []).append(index)
        async with asyncio.TaskGroup() as group:
            for place, indices in lanes.items():
                group.create_task(_send_lane(producer, place, messages=[(i, messages[i]) for i in indices], done=done))


async def _send_lane(
    producer: Any,  # noqa: ANN401
    place: _Place,
    *,
    messages: Sequence[tuple[int, Message]],
    done: _Round,
) -> None:
    """Sends what goes to one partition, batch after batch; the first that fails is the last."""
    topic, number = place
    rest = list(messages)
    try:
        while rest:
            batch = producer.create_batch()
            taken = _fill(batch, rest)
            await (await producer.send_batch(batch, topic, partition=number))
            done.acknowledged.update(index for index, _ in rest[:taken])
            del rest[:taken]
    except Exception as error:
        if not is_outage(error):
            raise
        done.error = error


def _fill(batch: Any, messages: Iterable[tuple[int, Message]]) -> int:  # noqa: ANN401
    """Puts as many of `messages` into `batch` as it takes, which is at least one; returns how many."""
    taken = 0
    for _, message in messages:
        entry = {"key": message.key.encode(), "value": message.value, "headers": headers_of(message)}
        if batch.append(timestamp=None, **entry) is None:
            break
        taken += 1
    batch.close()
    return taken


async def _abandon(producer: Any) -> None:  # noqa: ANN401
    """Stops `producer` now. Its own `stop` would first wait for what may never be delivered, without an end when it is
    idempotent; nobody waits for that any more, and it will be published again."""
    try:
        await producer._sender.close()
        producer._message_accumulator._batches.clear()
        await producer.stop()
    except Exception as error:
        if not is_outage(error):
            raise
        _log.warning("Kafka producer failed at its end", reason=reason(error))
