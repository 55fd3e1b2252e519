"""Following a stream of server-sent events in tests."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from tests.common.eventually import PATIENCE


class Sent(msgspec.Struct, frozen=True):
    """One block of a stream: its fields, empty where it has none. `comment` is that of a comment line."""

    id: str = ""
    event: str = ""
    data: str = ""
    retry: str = ""
    comment: str = ""

    @property
    def number(self) -> int:
        """The id as the number that it is."""
        return int(self.id)

    def json(self) -> Any:  # noqa: ANN401 — tests look into whatever came
        """The decoded data."""
        return msgspec.json.decode(self.data)


class Follower:
    """Reads the stream `parts`, however it is cut."""

    def __init__(self, parts: AsyncIterator[bytes]) -> None:
        self._parts = parts
        self._rest = b""

    async def block(self) -> Sent | None:
        """The next block; None when the stream has ended."""
        while b"\n\n" not in self._rest:
            async with asyncio.timeout(PATIENCE):
                part = await anext(self._parts, b"")
            if not part:
                assert self._rest == b"", "the stream ended within a block"
                return None
            self._rest += part
        block, _, self._rest = self._rest.partition(b"\n\n")
        return _read(block.decode())

    async def hello(self) -> Sent:
        """The first block, which says where the stream begins."""
        block = await self.block()
        assert block is not None
        assert block.retry
        return block

    async def event(self) -> Sent:
        """The next event; heartbeats are passed over."""
        while (block := await self.block()) is not None:
            if block.event:
                return block
        raise AssertionError("the stream ended")

    async def events(self, count: int) -> list[Sent]:
        """The next `count` events."""
        return [await self.event() for _ in range(count)]


def _read(block: str) -> Sent:
    fields = {}
    for line in block.split("\n"):
        name, colon, value = line.partition(":")
        assert colon, line
        name = name or "comment"
        assert name not in fields, block
        fields[name] = value.removeprefix(" ")
    return msgspec.convert(fields, Sent)
