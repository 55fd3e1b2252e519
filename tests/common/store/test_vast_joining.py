"""Pages that are read at once on VAST DB: one request finds the windows of all, and each gets its own rows."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import msgspec
import pytest

from tams_common.store import Query, Table, Windowed, eq, ge
from tams_common.store.vast import VastStore, place_of
from vast_emulator.server import Emulator, Settings
from vast_emulator.serving import serve

LENGTH = 2_000
STEP = 1_000


class Entry(msgspec.Struct, frozen=True):
    line: str
    at: int
    text: str


ENTRIES = Table("entries", Entry, key=("line", "at"), paging=Windowed())


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    async with serve(Settings(keys={"test": "test"})) as emulator:
        yield emulator


@pytest.fixture
async def store(emulator: Emulator) -> AsyncIterator[VastStore]:
    place = place_of(f"{emulator.url.replace('http', 'vast')}/vastdb/joined", access_key="test", secret_key="test")
    store = VastStore(place, "entries", tables=(ENTRIES,))
    async with AsyncExitStack() as stack:
        await store.open()
        stack.push_async_callback(store.close)
        await store.migrate()
        rows = [Entry(line, at * STEP, f"{line}{at}") for line in "ab" for at in range(LENGTH)]
        await store.run(lambda tx: tx.insert(ENTRIES, rows))
        yield store


async def page(store: VastStore, line: str, *, start: int, limit: int, width: int) -> list[str]:
    query = Query((eq("line", line), ge("at", start * STEP)), limit=limit, width=width)
    rows = await store.read(lambda reader: reader.scan(ENTRIES, query).rows)
    return [row.text for row in rows]


def expected(line: str, start: int, *, limit: int) -> list[str]:
    return [f"{line}{at}" for at in range(start, min(start + limit, LENGTH))]


async def test_pages_of_one_line_are_one_request(store: VastStore, emulator: Emulator) -> None:
    emulator.counters.reset()
    starts = range(0, 1_600, 100)
    found = await asyncio.gather(*(page(store, "a", start=start, limit=10, width=20 * STEP) for start in starts))
    assert found == [expected("a", start, limit=10) for start in starts]
    assert emulator.counters.snapshot()["requests"]["GET data"] == 1


async def test_windows_that_overlap_give_each_page_its_rows(store: VastStore) -> None:
    starts = [5, 6, 7, 5, 1_995]
    found = await asyncio.gather(*(page(store, "b", start=start, limit=8, width=12 * STEP) for start in starts))
    assert found == [expected("b", start, limit=8) for start in starts]


async def test_lines_and_limits_of_their_own_stay_apart(store: VastStore) -> None:
    asked = [("a", 3, 5, 8), ("b", 3, 5, 8), ("a", 1_000, 30, 0), ("b", 0, 600, 0), ("a", 1_990, 30, 2), ("c", 0, 5, 9)]
    found = await asyncio.gather(
        *(page(store, line, start=start, limit=limit, width=width * STEP) for line, start, limit, width in asked)
    )
    assert found == [expected(line, start, limit=limit) if line != "c" else [] for line, start, limit, _ in asked]


async def test_windows_without_a_hint_are_cut_short_and_still_found(store: VastStore) -> None:
    starts = range(0, 1_600, 200)
    found = await asyncio.gather(*(page(store, "a", start=start, limit=30, width=0) for start in starts))
    assert found == [expected("a", start, limit=30) for start in starts]
