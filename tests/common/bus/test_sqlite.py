"""The embedded bus: the contract in memory and on files, and what only a file can suffer."""

import asyncio
import errno
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from tams_common.bus import Topic
from tams_common.bus.sqlite import SqliteBus, file
from tams_common.bus.sqlite.bus import PRUNE_EVERY
from tams_common.bus.sqlite.consumer import MOST_HANDED, SqliteConsumer
from tams_common.bus.sqlite.desk import FILE_NAME, Settings
from tams_common.bus.sqlite.log import GAP
from tams_common.clock import SECOND, ManualClock
from tams_common.errors import StartRefused, Unavailable
from tests.common.bus.contract import BusContract
from tests.common.bus.reading import Reader, message, messages
from tests.common.bus.shared_contract import SharedBusContract
from tests.common.eventually import eventually


@asynccontextmanager
async def moved_away(path: Path) -> AsyncIterator[None]:
    """The file is not where it was: what an operator does who clears a data directory under a running process."""
    aside = path.with_suffix(".aside")
    path.rename(aside)
    yield
    aside.rename(path)


class TestMemory(BusContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        self.temporary = tmp_path

    def make(self) -> SqliteBus:
        return SqliteBus(None)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        (path,) = self.temporary.glob(f"*/{FILE_NAME}")
        async with moved_away(path):
            yield

    async def test_nothing_is_left_on_disk(self) -> None:
        bus = self.make()
        await bus.open()
        assert list(self.temporary.iterdir())
        await bus.close()
        assert not list(self.temporary.iterdir())


class TestFile(SharedBusContract):
    @pytest.fixture(autouse=True)
    def _directory(self, tmp_path: Path) -> None:
        self.directory = tmp_path / "not" / "there"

    @property
    def url(self) -> str:
        return f"sqlite:{self.directory}"

    def make(self) -> SqliteBus:
        return SqliteBus(self.directory)

    @asynccontextmanager
    async def outage(self) -> AsyncIterator[None]:
        async with moved_away(self.directory / FILE_NAME):
            yield


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


async def test_what_was_published_is_there_after_a_restart(tmp_path: Path) -> None:
    bus = SqliteBus(tmp_path)
    await bus.open()
    await bus.apply([Topic("t")])
    await bus.publish(messages("t", range(3)))
    await bus.close()
    bus = SqliteBus(tmp_path)
    await bus.open()
    await bus.publish([message("t", 3)])
    reader = Reader()
    consumer = await bus.consumer("g", ["t"], assigned=reader.assigned)
    assert [record.offset for record in await reader.read(consumer, 4)] == [0, 1, 2, GAP]
    await consumer.close()
    await bus.close()


async def test_what_a_crash_of_the_machine_took_comes_again_and_is_read_again(tmp_path: Path) -> None:
    """The disk has the file as it was before the last publish was synced, a consumer's tables have its position."""
    bus = SqliteBus(tmp_path)
    await bus.open()
    await bus.apply([Topic("t")])
    await bus.publish(messages("t", range(3)))
    await bus.close()
    reader = Reader()
    async with reading(tmp_path, reader) as (bus, consumer):
        disk = {path: path.read_bytes() for path in (tmp_path / FILE_NAME, tmp_path / f"{FILE_NAME}-wal")}
        await bus.publish([message("t", 3), message("t", 4)])
        await reader.read(consumer, 5)
    for path, content in disk.items():
        path.write_bytes(content)
    async with reading(tmp_path, reader) as (bus, consumer):
        await bus.publish([message("t", 4), message("t", 5)])
        await reader.read(consumer, 7)
    assert reader.ids == [f"key-{number}" for number in (0, 1, 2, 3, 4, 4, 5)]


@asynccontextmanager
async def reading(directory: Path, reader: Reader) -> AsyncIterator[tuple[SqliteBus, SqliteConsumer]]:
    bus = SqliteBus(directory)
    await bus.open()
    consumer = await bus.consumer("g", ["t"], assigned=reader.assigned)
    try:
        yield bus, consumer
    finally:
        await consumer.close()
        await bus.close()


async def test_what_could_not_be_synced_is_not_acknowledged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bus = SqliteBus(tmp_path)
    await bus.open()
    await bus.apply([Topic("t")])
    sync, failures = file._sync, [OSError(errno.EIO, "Input/output error")]

    def broken(log: int) -> None:
        if failures:
            raise failures.pop()
        sync(log)

    monkeypatch.setattr(file, "_sync", broken)
    with pytest.raises(Unavailable, match="Input/output error"):
        await bus.publish([message("t", 0)])
    assert not await bus.publish([message("t", 0), message("t", 1)])
    log = (tmp_path / f"{FILE_NAME}-wal").read_bytes()
    await bus.close()
    assert b"key-1" in log, "what follows a failure lies in the log"
    reader = Reader()
    async with reading(tmp_path, reader) as (bus, consumer):
        await reader.read(consumer, 3)
    assert reader.ids == ["key-0", "key-0", "key-1"]


async def test_two_processes_that_publish_are_read_in_order_and_whole(tmp_path: Path) -> None:
    """What one hands to its own consumers in memory has holes where the other has written."""
    reader, other = Reader(), SqliteBus(tmp_path)
    await other.open()
    await other.apply([Topic("t")])
    async with reading(tmp_path, reader) as (bus, consumer):
        for number in range(150):
            await (other if number % 7 in (2, 3) else bus).publish([message("t", number)])
            if number % 3 == 0:
                reader.take(await consumer.poll(limit=5, timeout=0))
        await reader.read(consumer, 150)
    await other.close()
    assert reader.ids == [f"key-{number}" for number in range(150)]


async def test_who_reads_slowly_misses_nothing(tmp_path: Path) -> None:
    reader = Reader()
    async with reading_new(tmp_path, reader) as (bus, consumer):
        await reader.read(consumer, 0)
        for number in range(3 * MOST_HANDED):
            await bus.publish([message("t", number)])
        await reader.read(consumer, 3 * MOST_HANDED, limit=7)
    assert reader.ids == [f"key-{number}" for number in range(3 * MOST_HANDED)]


@asynccontextmanager
async def reading_new(directory: Path, reader: Reader) -> AsyncIterator[tuple[SqliteBus, SqliteConsumer]]:
    bus = SqliteBus(directory)
    await bus.open()
    await bus.apply([Topic("t")])
    await bus.close()
    async with reading(directory, reader) as opened:
        yield opened


async def test_a_publish_is_whole_or_not_at_all(tmp_path: Path) -> None:
    bus = SqliteBus(tmp_path)
    await bus.open()
    await bus.apply([Topic("t")])
    with pytest.raises(Unavailable, match="nobody"):
        await bus.publish([message("t", 0), message("nobody", 1)])
    await bus.publish([message("t", 2)])
    reader = Reader()
    consumer = await bus.consumer("g", ["t"], assigned=reader.assigned)
    assert [(record.id, record.offset) for record in await reader.read(consumer, 1)] == [("key-2", 0)]
    await consumer.close()
    await bus.close()


async def test_a_member_that_was_taken_for_dead_reads_nothing_more(tmp_path: Path) -> None:
    early, late = ManualClock(), ManualClock()
    late.advance(seconds=3600)
    living, zombie = SqliteBus(tmp_path, clock=late), SqliteBus(tmp_path, clock=early)
    await zombie.open()
    await living.open()
    await living.apply([Topic("t")])
    await living.publish(messages("t", range(5)))
    sleeping, reader = Reader(), Reader()
    first = await zombie.consumer("g", ["t"], assigned=sleeping.assigned)
    await sleeping.read(first, 2, limit=2)
    second = await living.consumer("g", ["t"], assigned=reader.assigned)
    await reader.read(second, 5)
    assert await first.poll(limit=10, timeout=0) == []
    await second.close()
    await sleeping.read(first, 5)
    assert reader.ids == sleeping.ids == [f"key-{number}" for number in range(5)]
    await first.close()
    await zombie.close()
    await living.close()


async def test_a_silent_member_loses_its_place_when_the_lease_has_run_out(tmp_path: Path, clock: ManualClock) -> None:
    slow = Settings(lease=3600)
    ours, theirs = (SqliteBus(tmp_path, clock=clock, settings=slow) for _ in range(2))
    await ours.open()
    await theirs.open()
    await ours.apply([Topic("t")])
    await ours.publish(messages("t", range(2)))
    silent, reader = Reader(), Reader()
    first = await ours.consumer("g", ["t"], assigned=silent.assigned)
    await silent.read(first, 2)
    second = await theirs.consumer("g", ["t"], assigned=reader.assigned)
    assert await second.poll(limit=10, timeout=0) == []
    clock.advance(seconds=3601)
    assert len(await reader.read(second, 2)) == 2
    for closing_one in (first, second, ours, theirs):
        await closing_one.close()


async def test_a_clock_that_is_set_back_keeps_no_place_for_a_dead_member(tmp_path: Path, clock: ManualClock) -> None:
    clock.advance(seconds=3600)
    dead = SqliteBus(tmp_path, clock=clock, settings=Settings(lease=3600))
    living = SqliteBus(tmp_path, clock=clock, settings=Settings(lease=0.1))
    await dead.open()
    await living.open()
    await dead.apply([Topic("t")])
    await dead.publish(messages("t", range(2)))
    silent, reader = Reader(), Reader()
    first = await dead.consumer("g", ["t"], assigned=silent.assigned)
    await silent.read(first, 2)
    clock.advance(seconds=-3600)
    second = await living.consumer("g", ["t"], assigned=reader.assigned)

    def ends_soon() -> bool:
        with closing(sqlite3.connect(tmp_path / FILE_NAME)) as db:
            return bool(db.execute("SELECT until FROM groups").fetchone()[0] <= clock() + SECOND)

    await eventually(ends_soon)
    clock.advance(seconds=1)
    assert len(await reader.read(second, 2)) == 2
    for closing_one in (first, second, dead, living):
        await closing_one.close()


async def test_records_go_when_they_are_older_than_their_topic_keeps_them(tmp_path: Path, clock: ManualClock) -> None:
    bus = SqliteBus(tmp_path, clock=clock)
    await bus.open()
    await bus.apply([Topic("short", retention_hours=1), Topic("long", retention_hours=None)])
    await bus.publish([*messages("short", range(2500)), *messages("long", range(3))])
    clock.advance(seconds=3601)
    for number in range(3):
        await bus.publish([message("short", 2500 + number)])
    clock.advance(ns=PRUNE_EVERY)
    await bus.publish([message("short", 2503)])
    reader = Reader()
    consumer = await bus.consumer("g", ["short", "long"], assigned=reader.assigned)
    records = await reader.read(consumer, 7)
    await consumer.close()
    await bus.close()
    assert [record.offset for record in records if record.partition.topic == "short"] == [2500, 2501, 2502, 2503]
    assert len([record for record in records if record.partition.topic == "long"]) == 3


async def test_a_busy_file_is_unavailable_and_nothing_is_lost(tmp_path: Path) -> None:
    bus = SqliteBus(tmp_path, settings=Settings(busy=0.01))
    await bus.open()
    await bus.apply([Topic("t")])
    with closing(sqlite3.connect(tmp_path / FILE_NAME, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="locked"):
            await bus.publish([message("t", 0)])
        other.execute("ROLLBACK")
    assert not await bus.publish([message("t", 0)])
    await bus.close()


async def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    buses = [SqliteBus(tmp_path) for _ in range(8)]
    await asyncio.gather(*(bus.open() for bus in buses))
    await asyncio.gather(*(bus.apply([Topic("t")]) for bus in buses))
    assert not any(await asyncio.gather(*(bus.publish([message("t", 0)]) for bus in buses)))
    for bus in buses:
        await bus.close()


async def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE_NAME)) as newer:
        newer.execute("PRAGMA user_version = 99")
    with pytest.raises(StartRefused, match="schema 99"):
        await SqliteBus(tmp_path).open()


async def test_what_is_no_database_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"no database at all" * 1000)
    with pytest.raises(Unavailable, match="not a database"):
        await SqliteBus(tmp_path).open()
    with pytest.raises(Unavailable):
        await SqliteBus(tmp_path / FILE_NAME / "below").open()


async def test_a_closed_consumer_is_not_polled(tmp_path: Path) -> None:
    bus = SqliteBus(tmp_path)
    await bus.open()
    await bus.apply([Topic("t")])
    consumer = await bus.consumer("g", ["t"], assigned=Reader().assigned)
    await consumer.close()
    with pytest.raises(RuntimeError):
        await consumer.poll(limit=1, timeout=0)
    await bus.close()
