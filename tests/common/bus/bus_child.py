"""The other process of the bus tests: `publish URL TOPIC COUNT` or `consume URL TOPIC GROUP`, and says each message."""

import asyncio
import sys

from tams_common.bus import Bus
from tams_common.runtime.wiring import make_bus
from tests.common.bus.reading import Reader, message
from tests.common.child import say


async def publish(bus: Bus, topic: str, *, count: int) -> None:
    for number in range(count):
        if not await bus.publish([message(topic, number)]):
            say(number)


async def consume(bus: Bus, topic: str, *, group: str) -> None:
    consumer = await bus.consumer(group, [topic], assigned=Reader().assigned)
    while True:
        for record in await consumer.poll(limit=100, timeout=1):
            say(record.id)


async def main(verb: str, url: str, *rest: str) -> None:
    bus = make_bus(url)
    await bus.open()
    topic, last = rest
    if verb == "publish":
        await publish(bus, topic, count=int(last))
    else:
        await consume(bus, topic, group=last)
    await bus.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
