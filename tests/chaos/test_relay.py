"""The relay of a replica that dies and stays dead: what it had committed is told by the one that lives."""

import random
from collections.abc import Sequence
from pathlib import Path

import aiohttp

from tests.chaos.books import Books
from tests.chaos.fleet import Fleet, fleet
from tests.chaos.ledger import Account, beside, follow
from tests.chaos.writer import Client, Writer
from tests.common.eventually import eventually
from tests.kafka import Kafka, new_prefix
from tests.stores import on_sqlite_files

EACH = 5
PATIENCE = 120.0
TIMEOUT = 3
"""Seconds for a publish: shorter than half of the relay's lease, which a replica therefore keeps in an outage."""


async def append(writers: Sequence[Writer]) -> None:
    """A few segments by each writer."""
    for writer in writers:
        for _ in range(EACH):
            await writer.append()


async def all_heard(heard: Account, books: Books) -> None:
    """Waits until every committed event was heard."""
    await eventually(lambda: heard.count == books.count(), patience=PATIENCE)


async def let_the_first_relay(running: Fleet, books: Books, *, writer: Writer, heard: Account) -> None:
    """The first replica of segments takes the outbox, as the second one is away for a while."""
    second = running.of("segments")[1]
    await second.kill()
    await writer.append()
    await all_heard(heard, books)
    await second.start()


@on_sqlite_files
async def test_the_living_replica_tells_what_the_dead_one_has_committed(tmp_path: Path, kafka: Kafka) -> None:
    data, heard, draw = tmp_path / "data", Account(), random.Random(1)
    books = Books(data)
    async with (
        fleet(data, bus=kafka.url(prefix=new_prefix(), timeout=TIMEOUT)) as running,
        aiohttp.ClientSession() as session,
    ):
        books.open()
        by_first, by_second = (Writer(Client(session, [gateway]), draw) for gateway in running.gateways)
        async with beside(follow(session, running.gateways[1:], heard=heard)):
            for writer in (by_first, by_second):
                await writer.create()
            await let_the_first_relay(running, books, writer=by_first, heard=heard)
            owner = books.relay_of("segments")
            async with kafka.killed():
                await append([by_first, by_second])
                assert books.relay_of("segments") == owner
                await running.of("segments")[0].kill()
                await append([by_second])
                assert books.waiting("segments") == 3 * EACH
            await append([by_second])
            await all_heard(heard, books)
            assert books.relay_of("segments") != owner
            assert books.waiting("segments") == 0
        assert heard.events == books.account().events
        assert by_first.acknowledged | by_second.acknowledged <= heard.marks
