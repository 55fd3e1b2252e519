"""What listeners have heard of the store: every committed change at least once, in order, and nothing else."""

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final, TypeAlias

import aiohttp
import msgspec

from tams_common.bus import Bus, Offsets, Partition
from tams_common.errors import Unavailable
from tams_common.events import FLOWS, SEGMENTS, SOURCES
from tests.chaos.writer import AUTH, BROKEN, Mark, marks_of
from tests.webhooks.receiver import CUT, OK, Received, Reply

Place: TypeAlias = tuple[str, str]
"""Topic and key: within it there is an order."""
UNWELL: Final = (*[OK] * 27, Reply(500), Reply(503), CUT)
"""What a receiver answers that is not quite well."""


class Account:
    """Events by place, each once, in the order of first arrival; `repeats` counts those that came again."""

    def __init__(self) -> None:
        self.ids: dict[Place, list[str]] = {}
        self.repeats = 0
        self._events: dict[str, Any] = {}

    @property
    def count(self) -> int:
        """How many events there are."""
        return len(self._events)

    @property
    def events(self) -> dict[Place, list[Any]]:
        """The events themselves."""
        return {place: [self._events[event_id] for event_id in ids] for place, ids in self.ids.items()}

    @property
    def marks(self) -> set[Mark]:
        """What the events tell of."""
        return {mark for event in self._events.values() for mark in marks_of(event)}

    def take(self, event_id: str, value: bytes) -> None:
        """Notes an event; one that comes again must be the same."""
        event = msgspec.json.decode(value)
        if event_id in self._events:
            assert self._events[event_id] == event, (
                f"event {event_id} came as {self._events[event_id]}, then as {event}"
            )
            self.repeats += 1
            return
        self._events[event_id] = event
        self.ids.setdefault(place_of(event), []).append(event_id)


def place_of(event: Any) -> Place:  # noqa: ANN401 — a decoded event
    """Where the order of an event is told, as the documentation has it."""
    kind, body = event["event_type"], event["event"]
    about = "source" if kind.startswith("sources/") else "flow"
    topic = SEGMENTS if kind.startswith("flows/segments_") else {"flow": FLOWS, "source": SOURCES}[about]
    return topic, body[f"{about}_id"] if f"{about}_id" in body else body[about]["id"]


def unwell(heard: Account, draw: random.Random) -> Callable[[Received], Reply]:
    """A receiver that notes what it accepts, and refuses or breaks every tenth request or so."""

    def decide(request: Received) -> Reply:
        reply = draw.choice(UNWELL)
        if reply is OK:
            heard.take(request.id, request.body)
        return reply

    return decide


async def follow(session: aiohttp.ClientSession, gateways: Sequence[str], *, heard: Account) -> None:
    """Follows `/events` from the start, at whichever gateway answers, and goes on behind what it heard last."""
    last = "0"
    for gateway in itertools.cycle(gateways):
        patience = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=30)
        try:
            headers = {**AUTH, "Last-Event-ID": last}
            async with session.get(f"{gateway}/events", headers=headers, timeout=patience) as answer:
                if answer.status == 200:
                    async for number, data in _events(answer.content):
                        heard.take(number, data)
                        last = number
        except BROKEN:
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


async def consume(bus: Bus, *, heard: Account) -> None:
    """Reads all topics from their start and goes on where it was, as a program beside the store would."""
    places: dict[Partition, int] = {}

    async def assigned(_: Sequence[Partition]) -> Offsets:
        return places

    consumer = await bus.consumer("ledger", [FLOWS, SOURCES, SEGMENTS], assigned=assigned)
    try:
        while True:
            try:
                records = await consumer.poll(limit=500, timeout=1.0)
            except Unavailable:
                await asyncio.sleep(0.2)
                continue
            for record in records:
                heard.take(record.id, record.value)
                places[record.partition] = record.offset + 1
    finally:
        await consumer.close()


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
