"""SQLite files and the processes that write them: killed ones, and several at once."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tams_common.store import Query, Reader
from tams_common.store.sqlite import SqliteStore
from tams_common.store.sqlite.sharing import Sharing
from tests.common.child import child
from tests.common.store.sqlite_child import CLIPS_PER_RUN, WRITERS
from tests.common.store.tables import CLIPS, HEADS, TABLES

MODULE = "tests.common.store.sqlite_child"
FOR_EVER = "1000000"


def versions(reader: Reader) -> dict[str, int]:
    """The version of each flow, each with all clips of its runs and no others."""
    found = {head.flow: head.version for head in reader.scan(HEADS, Query()).rows}
    clips: Counter[str] = Counter(str(flow) for (flow,) in reader.select(CLIPS, ("flow",), query=Query()).rows)
    assert clips == {flow: version * CLIPS_PER_RUN for flow, version in found.items()}
    return found


@pytest.mark.parametrize("told", [1, 5, 30, 100])
async def test_a_killed_process_leaves_whole_runs_and_none_that_it_told_is_lost(tmp_path: Path, told: int) -> None:
    acknowledged = Counter[str]()
    async with child(MODULE, str(tmp_path), "each", FOR_EVER) as writer:
        lines = [await writer.tell() for _ in range(told)]
        lines += await writer.kill()
    for line in lines:
        flow, version = line.split()
        acknowledged[flow] = max(acknowledged[flow], int(version))
    store = SqliteStore(tmp_path, "tables", tables=TABLES)
    await store.open()
    stored = await store.read(versions)
    await store.close()
    assert all(stored[flow] >= version for flow, version in acknowledged.items())
    assert len(lines) >= told


async def test_processes_that_share_a_file_wait_for_each_other_and_lose_nothing(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(child(MODULE, str(tmp_path), "same", "150")) for _ in range(2)]
        assert await asyncio.gather(*(writer.ended() for writer in writers)) == [0, 0]
    store = SqliteStore(tmp_path, "tables", tables=TABLES)
    await store.open()
    assert await store.read(versions) == {"same": 2 * WRITERS * 150}
    await store.close()


async def test_a_writer_notices_whether_it_is_alone(tmp_path: Path) -> None:
    path = tmp_path / "tables.sqlite"
    with Sharing(path) as first:
        assert not first.shared()
        with Sharing(path) as second:
            assert second.shared()
        with Sharing(path) as third:
            assert third.shared()
    with Sharing(path) as last:
        assert not last.shared()
