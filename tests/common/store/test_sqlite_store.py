"""What only the SQLite adapter does: shared commits counted, locks, full disks, a directory for a store in memory."""

import asyncio
import threading
from collections.abc import AsyncIterator
from functools import partial
from itertools import product
from pathlib import Path

import pytest

from tams_common.errors import Unavailable
from tams_common.store import AnyOf, Between, Page, Query, Reader, Tx, eq
from tams_common.store.sqlite import SqliteStore
from tams_common.store.sqlite.errors import Busy
from tams_common.store.where import Scalar
from tests.common.full_disk import full_disk
from tests.common.store.sqlite_probe import count_near_steps, locked, set_busy_timeout, synchronous, trace_writer
from tests.common.store.tables import CLIPS, HEADS, ITEMS, TABLES, Clip, Head, Item, all_ids, insert_items, items


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(tmp_path, "tables", tables=TABLES)
    await store.open()
    await store.migrate()
    yield store
    await store.close()


async def test_functions_that_wait_together_share_commits(store: SqliteStore) -> None:
    texts = trace_writer(store)
    await asyncio.gather(*(store.run(insert_items(str(n))) for n in range(60)))
    assert texts.count("COMMIT") == 1
    texts.clear()
    await asyncio.gather(*(store.run(insert_items(f"again{n}")) for n in range(65)))
    assert texts.count("COMMIT") == 2


async def test_a_function_that_only_reads_commits_nothing(store: SqliteStore) -> None:
    texts = trace_writer(store)
    await store.run(lambda tx: tx.get(ITEMS, ("a",)))
    assert "COMMIT" not in texts


async def test_a_row_that_came_and_went_is_never_written(store: SqliteStore) -> None:
    texts = trace_writer(store)

    def come_and_go(tx: Tx) -> None:
        tx.insert(ITEMS, items("a"))
        tx.delete(ITEMS, [("a",)])

    await store.run(come_and_go)
    assert not [text for text in texts if text.startswith(("INSERT", "DELETE", "COMMIT"))]


async def test_a_run_that_is_cancelled_before_its_turn_is_not_begun(store: SqliteStore) -> None:
    task = asyncio.create_task(store.run(insert_items("cancelled")))
    await asyncio.sleep(0)
    task.cancel()
    await store.run(insert_items("after"))
    assert task.cancelled()
    assert await store.read(all_ids) == ["after"]


async def test_rows_that_several_functions_read_are_fetched_once(store: SqliteStore) -> None:
    await store.run(lambda tx: tx.insert(HEADS, [Head("f")]))

    def add(tx: Tx, start: int) -> None:
        assert tx.get(HEADS, ("f",))
        tx.touch(HEADS, ("f",))
        tx.insert(CLIPS, [Clip(flow="f", start=start)])

    texts = trace_writer(store)
    await asyncio.gather(*(store.run(partial(add, start=start)) for start in range(10)))
    assert sum("SELECT" in text for text in texts) == 1
    assert not [text for text in texts if "UPDATE" in text]


def _starts(reader: Reader, query: Query) -> Page[tuple[Scalar, ...]]:
    return reader.select(CLIPS, ("start",), query=query)


async def test_rows_between_ranges_are_not_looked_at(store: SqliteStore) -> None:
    starts = range(0, 20_000, 2)

    def fill(tx: Tx) -> None:
        tx.insert(HEADS, [Head("few"), Head("many")])
        tx.insert(CLIPS, [Clip(flow="many", start=start) for start in starts])
        tx.insert(CLIPS, [Clip(flow="few", start=start) for start in starts if start % 1000 == 0])

    await store.run(fill)
    ranges = AnyOf(tuple(Between("start", start - 1, start + 1) for start in range(0, 20_000, 1000)))
    steps, costs = count_near_steps(store), []
    for flow in ("few", "many"):
        query = Query((eq("flow", flow), ranges), limit=50)
        page = await store.read(partial(_starts, query=query), bounded=True)
        assert page.rows == [(start,) for start in range(0, 20_000, 1000)]
        costs.append(len(steps))
        steps.clear()
    assert costs[1] <= costs[0] + 1


def _clips(reader: Reader, query: Query) -> Page[Clip]:
    return reader.scan(CLIPS, query)


async def test_a_projection_is_walked_also_where_the_key_is_fixed(store: SqliteStore) -> None:
    def fill(tx: Tx) -> None:
        tx.insert(HEADS, [Head("few"), Head("many")])
        tx.insert(CLIPS, [Clip(flow="few", start=start, object_id="a") for start in (5, 9000)])
        tx.insert(CLIPS, [Clip(flow="many", start=start, object_id="b") for start in range(6, 9000)])
        tx.insert(CLIPS, [Clip(flow="many", start=start, object_id="a") for start in (5, 9000)])

    await store.run(fill)
    steps, costs = count_near_steps(store), []
    for flow, reverse in product(("few", "many"), (False, True)):
        query = Query((eq("object_id", "a"), eq("flow", flow)), order=("object_id", "flow"), limit=5, reverse=reverse)
        page = await store.read(partial(_clips, query=query), bounded=True)
        assert [clip.start for clip in page.rows] == ([9000, 5] if reverse else [5, 9000])
        costs.append(len(steps))
        steps.clear()
    assert max(costs) <= min(costs) + 1
    await store.set_projection("clips", "objects", enabled=False)
    query = Query((eq("object_id", "a"), eq("flow", "many")), order=("object_id", "flow"))
    page = await store.read(partial(_clips, query=query), bounded=True)
    assert [clip.start for clip in page.rows] == [5, 9000]


async def test_a_commit_is_forced_to_disk_on_files_only(store: SqliteStore) -> None:
    memory = SqliteStore(None, "tables", tables=TABLES)
    await memory.open()
    assert (synchronous(store), synchronous(memory)) == (2, 0)
    await memory.close()


async def test_a_bounded_read_runs_on_the_calling_thread_unless_it_meets_a_lock(store: SqliteStore) -> None:
    threads: list[int] = []

    def read(_: Reader) -> str:
        threads.append(threading.get_ident())
        if len(threads) == 2:
            raise Busy("locked")
        return "done"

    assert await store.read(read, bounded=True) == "done"
    assert await store.read(read, bounded=True) == "done"
    here = threading.get_ident()
    assert [thread == here for thread in threads] == [True, True, False]


async def test_reads_beside_a_writer_of_another_connection_do_not_wait(store: SqliteStore) -> None:
    await store.run(insert_items("a"))
    with locked(store):
        assert await store.read(all_ids, bounded=True) == ["a"]
        assert await store.read(all_ids) == ["a"]


async def test_a_writer_waits_for_the_lock_of_another_connection(store: SqliteStore) -> None:
    with locked(store):
        waiting = asyncio.create_task(store.run(insert_items("a")))
        await store.read(all_ids)
        assert not waiting.done()
    await waiting
    assert await store.read(all_ids) == ["a"]


async def test_a_lock_that_is_held_too_long_is_unavailable(store: SqliteStore) -> None:
    set_busy_timeout(store, milliseconds=20)
    with locked(store), pytest.raises(Unavailable, match="locked"):
        await store.run(insert_items("a"))
    await store.run(insert_items("b"))
    assert await store.read(all_ids) == ["b"]


async def test_a_full_disk_is_unavailable_and_leaves_no_part_of_a_run(store: SqliteStore) -> None:
    await store.run(insert_items("before"))

    def big(tx: Tx) -> None:
        tx.insert(HEADS, [Head("f")])
        tx.insert(ITEMS, [Item(f"big{n}", body=bytes(100_000)) for n in range(40)])

    with full_disk(2_000_000):
        with pytest.raises(Unavailable, match="tables"):
            await store.run(big)
        assert await store.read(all_ids) == ["before"]
    assert await store.read(lambda r: r.get(HEADS, ("f",))) is None
    await store.run(big)
    assert len(await store.read(all_ids)) == 41


async def test_the_directory_of_a_store_in_memory_goes_with_it() -> None:
    store = SqliteStore(None, "tables", tables=TABLES)
    await store.open()
    await store.migrate()
    directory = store.path.parent
    assert directory.is_dir()
    await store.close()
    assert not directory.exists()


async def test_a_store_can_be_opened_again_after_its_end(store: SqliteStore) -> None:
    await store.run(insert_items("a"))
    await store.close()
    await store.open()
    assert await store.read(all_ids) == ["a"]
