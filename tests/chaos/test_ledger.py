"""The ledger: writers go on while everything is killed and the receiver is unwell; in the end every listener has heard
all that was committed, in order, and nothing else.

`docs/chaos.md` says what is killed, and what is held against what. Every role is killed at least once.
"""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final, get_args

import aiohttp

from tams_common.bus.kafka import KafkaBus, settings_of
from tams_common.events import SEGMENTS
from tams_common.timerange import TimeRange
from tams_webhooks.webhook import EventType
from tests.chaos.books import Books
from tests.chaos.fleet import Fleet, Replica, fleet
from tests.chaos.ledger import Account, beside, consume, follow, unwell
from tests.chaos.report import KILLS, SEED, record
from tests.chaos.writer import AUTH, Client, Writer
from tests.common.eventually import eventually
from tests.kafka import Kafka, new_prefix
from tests.stores import on_sqlite_files
from tests.webhooks.receiver import Endpoint, receiver

WRITERS: Final = 4
BROKER: Final = "broker"
ROLES: Final = ("api-gateway", "catalog", "segments", "webhooks", BROKER)
PATIENCE: Final = 120.0
IMPATIENT: Final = {"TAMS_SEGMENTS_DELETE_BUDGET": "0.05", "TAMS_WEBHOOKS_DELAYS": ",".join(["0.05"] * 100)}
"""Some deletions go on behind their answer, and refused events come again soon."""


class Audience:
    """All who listen: on the topics, on `/events`, and the receiver of a webhook for everything."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.on_topics, self.on_stream, self.by_webhook = Account(), Account(), Account()

    async def register(self, session: aiohttp.ClientSession, gateway: str) -> None:
        """The webhook."""
        body = {"url": self.endpoint.url, "events": get_args(EventType), "accept_get_urls": []}
        async with session.post(f"{gateway}/service/webhooks", json=body, headers=AUTH) as answer:
            assert answer.status == 201, await answer.text()

    async def has_heard(self, books: Books) -> None:
        """Waits until as much was heard as the books have."""
        for account in (self.on_topics, self.on_stream, self.by_webhook):

            def complete(account: Account = account) -> bool:
                missing = books.count() - account.count
                assert missing <= 0, f"{missing} events have not been heard"
                return True

            await eventually(complete, patience=PATIENCE)


def victims(draw: random.Random) -> list[str]:
    """Whom to kill: every role once, in an order that the seed has chosen, and again in another one."""
    rounds = itertools.chain.from_iterable(draw.sample(ROLES, len(ROLES)) for _ in itertools.count())
    return list(itertools.islice(rounds, max(KILLS, len(ROLES))))


async def more_is_done(writers: Sequence[Writer], count: int) -> None:
    """Waits until `count` more changes have been made; a writer that waits for something dead holds none up."""
    wanted = sum(writer.done for writer in writers) + count
    await eventually(lambda: sum(writer.done for writer in writers) >= wanted, patience=PATIENCE)


@asynccontextmanager
async def killed(running: Fleet, replica: Replica) -> AsyncIterator[None]:
    """The replica is killed, and started again afterwards."""
    await running.kill(replica)
    yield
    await replica.start()


async def kill_all(running: Fleet, kafka: Kafka, *, draw: random.Random, writers: Sequence[Writer]) -> None:
    """Kills one after the other, each in the middle of the work."""
    for role in victims(draw):
        await more_is_done(writers, draw.randrange(5, 60))
        if role == BROKER:
            running.kills[BROKER] += 1
        victim = kafka.killed() if role == BROKER else killed(running, draw.choice(running.of(role)))
        async with victim:
            await more_is_done(writers, draw.randrange(1, 20))
    await more_is_done(writers, 20)


async def settled(client: Client) -> bool:
    """Whether no deletion is under way any more."""
    return all(request["status"] == "done" for request in await client.all("/flow-delete-requests?limit=1000"))


def are_booked(writers: Sequence[Writer], books: Books) -> bool:
    """Whether all that the store has said to be done is in the books; a source's end comes behind its flow's."""
    marks = books.account().marks
    missing = {mark for writer in writers for mark in writer.acknowledged - marks}
    assert not missing, f"there is no event of {missing}"
    return True


async def check_the_books(books: Books, client: Client, *, writers: Sequence[Writer]) -> None:
    """What the events tell is how the store now looks."""
    told = books.account().events
    for writer in writers:
        listed = await client.all(f"/flows/{writer.flow_id}/segments?limit=1000&accept_get_urls=")
        stored = [segment["object_id"] for segment in listed]
        assert remaining(told[SEGMENTS, writer.flow_id]) == stored
        assert set(writer.kept.values()) <= set(stored)
        for path, place in ((f"/flows/{writer.flow_id}", "flow"), (f"/sources/{writer.source_id}", "source")):
            last = told[f"tams.{place}s", path.rpartition("/")[2]][-1]["event"][place]
            shown = await client.get(path)
            # Segments move these two without an event of the flow.
            compared = last.keys() - {"segments_updated", "timerange"}
            assert {name: shown.get(name) for name in compared} == {name: last[name] for name in compared}


def remaining(events: Sequence[dict[str, Any]]) -> list[str]:
    """The objects of the segments that are left when all of it has happened."""
    left: dict[int, str] = {}
    for event in events:
        body = event["event"]
        if "segments" in body:
            left |= {start_of(segment["timerange"]): segment["object_id"] for segment in body["segments"]}
        else:
            gone = TimeRange.parse(body["timerange"])
            left = {start: name for start, name in left.items() if not gone.contains_instant(start)}
    return [left[start] for start in sorted(left)]


def start_of(timerange: str) -> int:
    """Where a segment starts, in ns."""
    start = TimeRange.parse(timerange).start
    assert start is not None
    return start


def keep(*, kills: Counter[str], audience: Audience, writers: Sequence[Writer], committed: Account) -> None:
    """Notes what was seen."""
    accounts = {"topics": audience.on_topics, "stream": audience.on_stream, "webhook": audience.by_webhook}
    figures = {
        "kills": kills,
        "changes acknowledged": sum(writer.done for writer in writers),
        "events committed": Counter(event["event_type"] for events in committed.events.values() for event in events),
        "events heard": {name: account.count for name, account in accounts.items()},
        "of these more than once": {name: account.repeats for name, account in accounts.items()},
        "requests to the receiver": len(audience.endpoint.received),
        "of these refused or cut off": len(audience.endpoint.received) - len(audience.endpoint.accepted),
    }
    record(f"Events: {kills.total()} kills", figures)


@on_sqlite_files
async def test_every_committed_change_is_heard_in_order_and_nothing_else(tmp_path: Path, kafka: Kafka) -> None:
    kafka_url, draw, stop = kafka.url(prefix=new_prefix(), timeout=10), random.Random(SEED), asyncio.Event()
    bus, books = KafkaBus(settings_of(kafka_url)), Books(tmp_path / "data")
    async with (
        fleet(tmp_path / "data", bus=kafka_url, environ=IMPATIENT) as running,
        receiver() as receiving,
        aiohttp.ClientSession() as session,
    ):
        books.open()
        audience, gateways = Audience(receiving.at("/hook")), running.gateways
        await audience.register(session, gateways[0])
        audience.endpoint.answer_by(unwell(audience.by_webhook, random.Random(draw.random())))
        writers = [Writer(Client(session, gateways), random.Random(draw.random())) for _ in range(WRITERS)]
        listeners = (
            consume(bus, heard=audience.on_topics),
            follow(session, gateways, heard=audience.on_stream),
        )
        await bus.open()
        try:
            async with beside(*listeners):
                async with asyncio.TaskGroup() as writing:
                    for writer in writers:
                        writing.create_task(writer.run(stop=stop))
                    await kill_all(running, kafka, draw=draw, writers=writers)
                    stop.set()
                client = Client(session, gateways)
                await eventually(lambda: settled(client), patience=PATIENCE)
                await eventually(lambda: are_booked(writers, books), patience=PATIENCE)
                await audience.has_heard(books)
                await check_the_books(books, client, writers=writers)
        finally:
            await bus.close()
        committed = books.account()
        for heard in (audience.on_topics, audience.by_webhook):
            assert heard.ids == committed.ids
        for heard in (audience.on_topics, audience.by_webhook, audience.on_stream):
            assert heard.events == committed.events
        assert audience.on_stream.repeats == 0
        assert len(audience.endpoint.received) > len(audience.endpoint.accepted)
        keep(kills=running.kills, audience=audience, writers=writers, committed=committed)
