"""A real bus, with something to do just before and just after each publish."""

from collections.abc import Awaitable, Callable, Sequence

from tams_common.bus import Access, Assigned, Bus, Consumer, Message, Topic, TopicStatus

Before = Callable[[Sequence[Message]], Awaitable[Sequence[Message]]]
After = Callable[[], Awaitable[None]]


async def everything(messages: Sequence[Message]) -> Sequence[Message]:
    """Lets all messages through."""
    return messages


async def nothing() -> None:
    """Goes on."""


class FaultyBus:
    """`before` says which messages go out, of each key the first ones; it may also raise, wait or kill, as may
    `after`."""

    def __init__(self, bus: Bus, *, before: Before = everything, after: After = nothing) -> None:
        self._bus = bus
        self.before = before
        self.after = after

    @property
    def access(self) -> Access | None:
        return self._bus.access

    async def open(self) -> None:
        await self._bus.open()

    async def close(self) -> None:
        await self._bus.close()

    async def apply(self, topics: Sequence[Topic]) -> None:
        await self._bus.apply(topics)

    async def status(self, topics: Sequence[Topic]) -> list[TopicStatus]:
        return await self._bus.status(topics)

    async def publish(self, messages: Sequence[Message]) -> Sequence[Message]:
        taken = await self.before(messages)
        refused = [*(message for message in messages if message not in taken), *await self._bus.publish(taken)]
        await self.after()
        return refused

    async def consumer(self, group: str, topics: Sequence[str], *, assigned: Assigned) -> Consumer:
        return await self._bus.consumer(group, topics, assigned=assigned)
