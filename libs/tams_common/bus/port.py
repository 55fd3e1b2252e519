"""The bus port: order is promised per key within one topic, and nothing else (architecture 4.3)."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol, TypeAlias

import msgspec


class Topic(msgspec.Struct, frozen=True):
    """A named log. `retention_hours` None keeps records for ever; `partitions` is ignored by the embedded bus (always one)."""

    name: str
    partitions: int = 12
    retention_hours: int | None = 24 * 7


class Partition(msgspec.Struct, frozen=True, order=True):
    """One ordered part of a topic."""

    topic: str
    number: int


class Message(msgspec.Struct, frozen=True):
    """What is published. `id` identifies the event for ever: a repeated message has the same one."""

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
"""Asked whenever partitions are assigned: where reading starts in each; a partition that is left out starts at its oldest record."""


class Consumer(Protocol):
    """A member of a group: each partition is read by one member at a time, as far as leases can tell."""

    async def poll(self, *, limit: int, timeout: float) -> list[Record]:
        """Up to `limit` records, in order within each partition; empty after `timeout` seconds without any.

        Raises `Unavailable` while the bus is down; a later call goes on where this one stopped.
        """
        ...

    async def commit(self, offsets: Offsets) -> None:
        """Tells the bus how far the group is: for monitoring and retention only, the truth stands in the consumer's tables."""
        ...

    async def close(self) -> None:
        """Leaves the group at once."""
        ...


class Bus(Protocol):
    """A durable log with topics, keys, groups and offsets."""

    async def open(self) -> None:
        """Connects; raises `Unavailable`."""
        ...

    async def close(self) -> None:
        """Disconnects; consumers are closed first by their owners."""
        ...

    async def apply(self, topics: Sequence[Topic]) -> None:
        """Creates topics that do not exist; never shrinks or deletes one."""
        ...

    async def publish(self, messages: Sequence[Message]) -> int:
        """Appends `messages` durably, in order; returns how many of them, from the first on, are acknowledged.

        Fewer than all means that the rest must be published again. Raises `Unavailable` when none could be sent.
        """
        ...

    async def consumer(self, group: str, topics: Sequence[str], *, assigned: Assigned) -> Consumer:
        """Joins `group`."""
        ...
