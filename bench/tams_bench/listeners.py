"""Who hears of changes during a measurement: a receiver of webhooks, and a reader of Kafka's topic."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web

from tams_common.bus import Offsets, Partition
from tams_common.bus.kafka import KafkaBus, settings_of
from tams_common.events import SEGMENTS

HANG: Final = "/dead"
"""A path that takes requests and never answers."""


class Heard:
    """When each object was first heard of, by its id; `count` is of all deliveries."""

    def __init__(self) -> None:
        self.at: dict[str, float] = {}
        self.count = 0
        self._more = asyncio.Event()

    def take(self, value: bytes) -> None:
        """Notes a delivery by the object id of its first segment."""
        now = time.perf_counter()
        start = value.find(b'"object_id":"') + 13
        self.at.setdefault(value[start : value.find(b'"', start)].decode(), now)
        self.count += 1
        self._more.set()

    async def until(self, count: int) -> None:
        """Waits until `count` deliveries have come."""
        while self.count < count:
            self._more.clear()
            await self._more.wait()


class Receiver:
    """A server of webhooks at `url`: what comes to a path counts there."""

    def __init__(self, url: str, paths: Mapping[str, Heard]) -> None:
        self.url = url
        self.paths = paths


@asynccontextmanager
async def receiver(paths: Sequence[str]) -> AsyncIterator[Receiver]:
    """A receiver that knows `paths`, and `HANG`."""
    heard = {path: Heard() for path in paths}
    forever = asyncio.Event()

    async def take(request: web.BaseRequest) -> web.StreamResponse:
        body = await request.read()
        if request.path == HANG:
            await forever.wait()
        heard[request.path].take(body)
        return web.Response(status=204)

    runner = web.ServerRunner(web.Server(take), shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield Receiver(f"http://{host}:{port}", heard)
    finally:
        forever.set()
        await runner.cleanup()


@asynccontextmanager
async def topic(url: str) -> AsyncIterator[Heard]:
    """What Kafka's topic of segments tells, from now on."""
    heard, bus = Heard(), KafkaBus(settings_of(url))
    await bus.open()
    consumer = await bus.consumer("bench", [SEGMENTS], assigned=_everything)
    await consumer.poll(limit=1, timeout=10)

    async def read() -> None:
        while True:
            for record in await consumer.poll(limit=500, timeout=1):
                heard.take(record.value)

    reading = asyncio.create_task(read())
    try:
        yield heard
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
        await consumer.close()
        await bus.close()


async def _everything(_: Sequence[Partition]) -> Offsets:
    return {}
