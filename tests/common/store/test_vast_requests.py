"""What the VAST adapter asks the server for: how many requests, and how many rows a page reads."""

import asyncio
import threading
from functools import partial
from itertools import pairwise

import pyarrow as pa
import pytest

from tams_common.store import AnyOf, Between, Page, Query, Reader, Tx, eq, ge, lt
from tams_common.store.layout import Layouts
from tams_common.store.vast import VastStore
from tams_common.store.vast.database import Database
from tams_common.store.windows import window_width
from tests.common.store.tables import CLIPS, ITEMS, TABLES, Clip, Item, insert_items
from tests.common.store.vast_opener import VastOpener
from vast_emulator.server import Emulator

READ = {"POST transaction": 1, "GET data": 1, "DELETE transaction": 1}
SEGMENTS = 1_000_000
SPACING = 2_000_000_000
FLOW = eq("flow", "f")


@pytest.fixture
async def store(opener: VastOpener) -> VastStore:
    store = await opener.vast()
    await store.run(insert_items(*(f"i{n:02}" for n in range(40))))
    return store


def _requests(emulator: Emulator) -> dict[str, int]:
    """How often each command was asked for, apart from the version, which a new connection asks for."""
    requests = emulator.counters.snapshot()["requests"]
    requests.pop("GET transaction", None)
    return requests


def _scan(reader: Reader, query: Query) -> Page[Clip]:
    return reader.scan(CLIPS, query)


def _fill(database: Database) -> None:
    """A flow of a million evenly spaced clips, past the adapter's Python objects."""
    session, stored = database.session(), database.declared["clips"]
    columns = [
        pa.repeat("f", SEGMENTS),
        pa.array(range(0, SEGMENTS * SPACING, SPACING), pa.int64()),
        pa.repeat("object", SEGMENTS),
        pa.repeat(pa.scalar(b"{}", pa.binary()), SEGMENTS),
        pa.nulls(SEGMENTS, pa.int64()),
    ]
    session.link.insert(session.transaction, stored, batch=pa.record_batch(columns, schema=stored.schema))
    session.link.commit(session.release())
    session.link.close()


class TestRequests:
    async def test_a_get_is_one_query_in_one_transaction(self, emulator: Emulator, store: VastStore) -> None:
        emulator.counters.reset()
        assert await store.read(lambda r: r.get(ITEMS, ("i07",))) == Item("i07")
        await store.close()
        assert _requests(emulator) == READ

    async def test_gets_that_arrive_together_are_one_query(self, emulator: Emulator, store: VastStore) -> None:
        def get(number: int) -> "asyncio.Future[Item | None]":
            return asyncio.ensure_future(store.read(lambda r: r.get(ITEMS, (f"i{number:02}",))))

        emulator.counters.reset()
        found = await asyncio.gather(*(get(number) for number in range(16)))
        await store.close()
        assert found == [Item(f"i{number:02}") for number in range(16)]
        assert _requests(emulator) == READ

    async def test_a_read_joins_no_transaction_that_has_begun(self, store: VastStore) -> None:
        began, written = threading.Event(), threading.Event()

        def slow(reader: Reader) -> tuple[Item | None, Item | None]:
            first = reader.get(ITEMS, ("late",))
            began.set()
            written.wait()
            return first, reader.get(ITEMS, ("late",))

        under_way = asyncio.create_task(store.read(slow))
        await asyncio.to_thread(began.wait)
        await store.run(insert_items("late"))
        assert await store.read(lambda r: r.get(ITEMS, ("late",))) == Item("late")
        written.set()
        assert await under_way == (None, None)

    async def test_functions_that_wait_together_share_a_commit(self, emulator: Emulator, store: VastStore) -> None:
        emulator.counters.reset()
        await asyncio.gather(*(store.run(insert_items(f"n{number}")) for number in range(50)))
        # Claims are found and updated, keys looked up; items and the commit are inserted.
        assert _requests(emulator) == {
            "POST transaction": 1,
            "GET data": 2,
            "PUT rows": 1,
            "POST rows": 2,
            "PUT transaction": 1,
        }

    async def test_one_update_and_one_delete_for_a_table(self, emulator: Emulator, store: VastStore) -> None:
        def work(tx: Tx) -> None:
            rows = tx.get_many(ITEMS, [(f"i{n:02}",) for n in range(20)])
            tx.update(ITEMS, [Item(row.id, 2) for row in rows.values()])
            tx.touch(ITEMS, ("i30",))
            tx.delete(ITEMS, [("i10",), ("i31",)])

        emulator.counters.reset()
        await store.run(work)
        requests = _requests(emulator)
        assert (requests["PUT rows"], requests["DELETE rows"], requests["POST rows"]) == (1, 1, 1)

    async def test_a_run_that_writes_nothing_commits_nothing(self, emulator: Emulator, store: VastStore) -> None:
        emulator.counters.reset()
        assert await store.run(lambda tx: tx.get(ITEMS, ("i01",))) == Item("i01")
        await store.close()
        assert _requests(emulator) == READ


class TestPages:
    async def test_a_page_of_a_million_segments_reads_few_windows_and_rows(
        self, emulator: Emulator, opener: VastOpener, store: VastStore
    ) -> None:
        await asyncio.to_thread(_fill, Database(opener.place, "tables", layouts=Layouts(TABLES)))
        hint = window_width(30, count=SEGMENTS, first=0, last=(SEGMENTS - 1) * SPACING)
        middle = SEGMENTS // 2 * SPACING
        for query in (
            Query((FLOW,), limit=30, width=hint),
            Query((FLOW, lt("start", SEGMENTS * SPACING)), limit=30, width=hint, reverse=True),
            Query((FLOW,), limit=30, width=hint, after=("f", middle)),
            Query((FLOW, ge("start", middle + 1)), limit=30, width=hint),
        ):
            emulator.counters.reset()
            page = await store.read(partial(_scan, query=query), bounded=True)
            counts = emulator.counters.snapshot()
            assert (len(page.rows), page.more) == (30, True)
            assert {later.start - earlier.start for earlier, later in pairwise(page.rows)} == {
                -SPACING if query.reverse else SPACING
            }
            assert counts["requests"]["GET data"] <= 4
            assert counts["rows"]["read"] <= 500

    async def test_many_ranges_of_a_million_segments_are_one_request(
        self, emulator: Emulator, opener: VastOpener, store: VastStore
    ) -> None:
        await asyncio.to_thread(_fill, Database(opener.place, "tables", layouts=Layouts(TABLES)))
        places = range(0, SEGMENTS * SPACING, SEGMENTS * SPACING // 250)
        ranges = AnyOf(tuple(Between("start", place - SPACING, place + SPACING) for place in places))
        query = Query((FLOW, ranges, ge("start", -SPACING), lt("start", SEGMENTS * SPACING)), limit=2048)
        emulator.counters.reset()
        page = await store.read(lambda r: r.select(CLIPS, ("start",), query=query))
        assert (len(page.rows), page.more) == (3 * 250 - 1, False)
        counts = emulator.counters.snapshot()
        assert counts["requests"]["GET data"] == 1
        assert counts["rows"]["read"] <= 1000

    async def test_bodies_of_a_small_table_are_read_for_the_page_only(
        self, emulator: Emulator, store: VastStore
    ) -> None:
        emulator.counters.reset()
        page = await store.read(lambda r: r.scan(ITEMS, Query(limit=3, after=("i35",))))
        assert [row.id for row in page.rows] == ["i36", "i37", "i38"]
        assert emulator.counters.snapshot()["rows"]["read"] <= 5 + 3
