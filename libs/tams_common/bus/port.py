"""The bus port: order is promised per key within one topic, and nothing else (architecture 4.3)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec

from tams_common.events import Topic


class Partition(msgspec.Struct, frozen=True, order=True):
    """One ordered part of a topic."""

    topic: str
    number: int


class Message(msgspec.Struct, frozen=True):
    """What is published. `id` identifies the event for ever: a repeated message has the same one. It travels beside the
    `headers` (on Kafka as `ce_id`) and is none of them."""

    topic: str
    key: str
    id: str
    value: bytes
    headers: dict[str, str] = {}


class Record(msgspec.Struct, frozen=True):
    """What is consumed: a message and its place in the log."""

    partition: Partition
    offset: int
    key: str
    id: str
    value: bytes
    headers: dict[str, str]


Offsets: TypeAlias = Mapping[Partition, int]
"""For each partition the next offset to read."""

Assigned: TypeAlias = Callable[[Sequence[Partition]], Awaitable[Offsets]]
"""Asked whenever partitions are assigned: where reading starts in each, by default at the oldest record."""


class TopicStatus(msgspec.Struct, frozen=True):
    """How a topic stands on the bus: `partitions` is None where it does not exist, `drift` says what differs from its
    declaration."""

    name: str
    partitions: int | None
    retention_hours: int | None = None
    cleanup: str = ""
    copies: int = 1
    drift: tuple[str, ...] = ()


class Access(msgspec.Struct, frozen=True):
    """How consumers that are none of ours reach the bus: its servers (`host:port`), what stands before the names of its
    topics, and how connections are secured; no secrets."""

    servers: tuple[str, ...]
    prefix: str = ""
    tls: bool = False
    mechanism: str = ""


class Consumer(Protocol):
    """A member of a group: each partition is read by one member at a time, as far as leases can tell."""

    async def poll(self, *, limit: int, timeout: float) -> list[Record]:
        """Up to `limit` records, in order within each partition; empty after `timeout` seconds without any.

        Raises `Unavailable` while the bus is down, and what `assigned` raises; a later call goes on where this stopped.
        Raises `StartRefused` when `assigned` names a place beyond the log's end: then this is another log.
        """
        ...

    async def commit(self, offsets: Offsets) -> None:
        """Tells the bus how far the group is, for monitoring only: the truth stands in the consumer's tables."""
        ...

    async def close(self) -> None:
        """Leaves the group at once; never raises: the place of a member that said no goodbye falls free by itself."""
        ...


class Bus(Protocol):
    """A durable log with topics, keys, groups and offsets."""

    @property
    def access(self) -> Access | None:
        """How others may consume what is published; None where only our own processes can."""
        ...

    async def open(self) -> None:
        """Connects; raises `Unavailable`."""
        ...

    async def close(self) -> None:
        """Disconnects; consumers are closed first by their owners."""
        ...

    async def apply(self, topics: Sequence[Topic]) -> None:
        """Creates topics that do not exist and leaves others as they are: never shrinks, widens or deletes one."""
        ...

    async def status(self, topics: Sequence[Topic]) -> list[TopicStatus]:
        """How `topics` stand, in their order; raises `Unavailable`."""
        ...

    async def publish(self, messages: Sequence[Message]) -> Sequence[Message]:
        """Appends `messages` durably, in order; returns those that are not acknowledged and must be published again.

        Of each key of a topic they are the last ones, so that order is kept. Raises `Unavailable` when none could be
        sent, also when a topic does not exist. An id may be published twice: to tell that is the consumers' business.
        """
        ...

    async def consumer(self, group: str, topics: Sequence[str], *, assigned: Assigned) -> Consumer:
        """Joins `group`; partitions come with the first `poll`. A topic must exist, else `Unavailable`."""
        ...
