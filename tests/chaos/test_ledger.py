"""The ledger: writers go on while everything is killed; in the end all listeners have heard all that was committed.

`docs/chaos.md` says what is killed, and what is held against what.
"""

import asyncio
import random
import time
from pathlib import Path

import aiohttp

from tams_common.bus.kafka import KafkaBus, settings_of
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.ledger import Heard, Writer, beside, consume, follow, make_flow, stored
from tests.chaos.report import KILLS, SEED, record
from tests.common.eventually import eventually
from tests.kafka import Kafka, new_prefix
from tests.system.processes import TOKEN
from tests.webhooks.receiver import Endpoint, receiver

FLOWS = 4
BROKER = "broker"
PATIENCE = 120.0


def victims(fleet: Fleet, draw: random.Random) -> list[str]:
    """Whom to kill, as places in the fleet: the three on the way of every event first, then anyone."""
    names = [f"{number}" for number in range(len(fleet.replicas))]
    first = [
        draw.choice([name for name in names if fleet.replicas[int(name)].name == service])
        for service in ("segments", "webhooks")
    ]
    first.append(BROKER)
    draw.shuffle(first)
    return (first + [draw.choice([*names, BROKER]) for _ in range(KILLS)])[:KILLS]


async def more_is_written(writers: list[Writer], count: int) -> None:
    """Waits until `count` more segments have been written; a writer that waits for something dead holds none up."""
    wanted = sum(writer.written for writer in writers) + count
    await eventually(lambda: sum(writer.written for writer in writers) >= wanted, patience=PATIENCE)


async def register(session: aiohttp.ClientSession, gateway: str, *, url: str) -> None:
    """A webhook for all that happens to segments."""
    body = {"url": url, "events": ["flows/segments_added"], "accept_get_urls": []}
    headers = {"Authorization": f"Bearer {TOKEN}"}
    async with session.post(f"{gateway}/service/webhooks", json=body, headers=headers) as answer:
        assert answer.status == 201, await answer.text()


def delivered(endpoint: Endpoint) -> Heard:
    """What a receiver has taken."""
    heard = Heard()
    for request in endpoint.accepted:
        heard.take(request.id, request.body)
    return heard


async def test_every_committed_change_is_heard_in_order_and_nothing_else(tmp_path: Path, kafka: Kafka) -> None:
    kafka_url, draw = kafka.url(prefix=new_prefix(), timeout=10), random.Random(SEED)
    bus, on_topic, on_stream = KafkaBus(settings_of(kafka_url)), Heard(), Heard()
    stop, began = asyncio.Event(), time.monotonic()
    async with (
        fleet(tmp_path / "data", bus=kafka_url) as running,
        receiver() as receiving,
        aiohttp.ClientSession() as session,
    ):
        endpoint, gateways = receiving.at("/hook"), running.gateways
        flows = [await make_flow(session, gateways[0]) for _ in range(FLOWS)]
        await register(session, gateways[0], url=endpoint.url)
        writers = [Writer(flow, gateways) for flow in flows]
        await bus.open()
        try:
            async with beside(consume(bus, heard=on_topic), follow(session, gateways, heard=on_stream)):
                async with asyncio.TaskGroup() as writing:
                    for writer in writers:
                        writing.create_task(writer.run(session, stop=stop))
                    for victim in victims(running, draw):
                        await more_is_written(writers, draw.randrange(5, 60))
                        if victim == BROKER:
                            running.kills[BROKER] += 1
                            async with kafka.killed():
                                await more_is_written(writers, 20)
                        else:
                            replica = running.replicas[int(victim)]
                            await running.kill(replica)
                            await more_is_written(writers, draw.randrange(1, 20))
                            await replica.start()
                    await more_is_written(writers, 20)
                    stop.set()
                written = {flow: await stored(session, gateways[0], flow_id=flow) for flow in flows}
                assert all(
                    len(names) >= writer.written for names, writer in zip(written.values(), writers, strict=True)
                )
                await eventually(lambda: on_topic.of_flow == written, patience=PATIENCE)
                await eventually(lambda: on_stream.of_flow == written, patience=PATIENCE)
                await eventually(lambda: delivered(endpoint).of_flow == written, patience=PATIENCE)
        finally:
            await bus.close()
        seen = {"topic": on_topic, "stream": on_stream, "webhook": delivered(endpoint)}
        record(
            f"Events: {running.kills.total()} kills",
            {
                "seconds": time.monotonic() - began,
                "kills": running.kills,
                "segments acknowledged": sum(writer.written for writer in writers),
                "segments stored": sum(map(len, written.values())),
                "events heard": {name: len(heard.events) for name, heard in seen.items()},
                "of these more than once": {name: heard.repeats for name, heard in seen.items()},
                "deliveries to the webhook": len(endpoint.received),
            },
        )
