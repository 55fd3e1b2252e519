"""What was written, and what of it has been heard: every committed change at least once, in order, and nothing else."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager

import aiohttp
import msgspec

from tams_common.bus import Bus, Offsets, Partition
from tams_common.errors import Unavailable
from tams_common.events import SEGMENTS
from tests.system import words
from tests.system.processes import TOKEN

_AUTH = {"Authorization": f"Bearer {TOKEN}"}
_PATIENT = aiohttp.ClientTimeout(total=10)
_BROKEN = (aiohttp.ClientError, TimeoutError)


class Heard:
    """What a listener has heard: for each flow the segments, by their object ids, in the order of first arrival."""

    def __init__(self) -> None:
        self.of_flow: dict[str, list[str]] = {}
        self.events: dict[str, str] = {}
        self.repeats = 0

    def take(self, event_id: str, value: bytes) -> None:
        """Notes an event; one that came before counts as a repeat and must be the same."""
        event = msgspec.json.decode(value)
        if event["event_type"] != "flows/segments_added":
            return
        body = event["event"]
        names = [segment["object_id"] for segment in body["segments"]]
        told = f"{body['flow_id']}:{','.join(names)}"
        if event_id in self.events:
            assert self.events[event_id] == told, f"event {event_id} came as {self.events[event_id]}, then as {told}"
            self.repeats += 1
            return
        self.events[event_id] = told
        self.of_flow.setdefault(body["flow_id"], []).extend(names)


class Writer:
    """Appends to one flow, one segment after the other, and repeats what it does not know to have been done."""

    def __init__(self, flow_id: str, gateways: Sequence[str]) -> None:
        self.flow_id = flow_id
        self.written = 0
        self._gateways = itertools.cycle(gateways)

    async def run(self, session: aiohttp.ClientSession, *, stop: asyncio.Event) -> None:
        """Writes until `stop`."""
        while not stop.is_set():
            await self._write(session, self.written)
            self.written += 1

    async def _write(self, session: aiohttp.ClientSession, number: int) -> None:
        name = f"{self.flow_id}/{number:06}"
        urls = [{"url": f"https://media.test/{name}", "label": "elsewhere"}]
        item = words.segment(name, number, end=number + 1, get_urls=urls)
        tried = False
        while True:
            url = f"{next(self._gateways)}/flows/{self.flow_id}/segments"
            try:
                async with session.post(url, json=item, headers=_AUTH, timeout=_PATIENT) as answer:
                    status, body = answer.status, await answer.text()
            except _BROKEN:
                tried = True
                await asyncio.sleep(0.05)
                continue
            if status == 201:
                return
            if status == 400:
                assert tried, f"a first try was refused: {body}"
                return
            assert status >= 500, f"{status}: {body}"
            tried = True
            await asyncio.sleep(0.05)


async def stored(session: aiohttp.ClientSession, gateway: str, *, flow_id: str) -> list[str]:
    """The objects of the flow's segments, as the store has them in the end."""
    found: list[str] = []
    url = f"{gateway}/flows/{flow_id}/segments?limit=1000&accept_get_urls="
    while url:
        async with session.get(url, headers=_AUTH) as answer:
            assert answer.status == 200, await answer.text()
            found += [segment["object_id"] for segment in await answer.json()]
            url = str(answer.links["next"]["url"]) if "next" in answer.links else ""
    return found


async def make_flow(session: aiohttp.ClientSession, gateway: str) -> str:
    """A fresh flow."""
    flow_id = words.new_id()
    body = words.video_flow(flow_id, words.new_id())
    async with session.put(f"{gateway}/flows/{flow_id}", json=body, headers=_AUTH) as answer:
        assert answer.status == 201, await answer.text()
    return flow_id


async def follow(session: aiohttp.ClientSession, gateways: Sequence[str], *, heard: Heard) -> None:
    """Follows `/events` from the start, at whichever gateway answers, and goes on behind what it heard last."""
    last = "0"
    for gateway in itertools.cycle(gateways):
        patience = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
        try:
            headers = {**_AUTH, "Last-Event-ID": last}
            async with session.get(f"{gateway}/events", headers=headers, timeout=patience) as answer:
                if answer.status == 200:
                    async for number, data in _events(answer.content):
                        heard.take(number, data)
                        last = number
        except _BROKEN:
            pass
        await asyncio.sleep(0.1)


async def _events(lines: aiohttp.StreamReader) -> AsyncIterator[tuple[str, bytes]]:
    number = ""
    async for line in lines:
        name, _, value = line.rstrip(b"\r\n").partition(b": ")
        if name == b"id":
            number = value.decode()
        elif name == b"data" and number:
            yield number, value


async def consume(bus: Bus, *, heard: Heard) -> None:
    """Reads the topic of segments from its start, as a program beside the store would."""
    consumer = await bus.consumer("ledger", [SEGMENTS], assigned=_from_the_start)
    try:
        while True:
            try:
                records = await consumer.poll(limit=500, timeout=1.0)
            except Unavailable:
                await asyncio.sleep(0.2)
                continue
            for record in records:
                heard.take(record.id, record.value)
    finally:
        await consumer.close()


async def _from_the_start(_: Sequence[Partition]) -> Offsets:
    return {}


@asynccontextmanager
async def beside(*listeners: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """Runs `listeners` beside the block; one that has failed fails the block's end."""
    running = [asyncio.create_task(listener) for listener in listeners]
    try:
        yield
    finally:
        for task in running:
            task.cancel()
        results = await asyncio.gather(*running, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
