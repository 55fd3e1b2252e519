"""What the bench asks of a store, whatever its adapter, and how fast clients get it."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Executor
from typing import TypeAlias

from tams_bench.load import LoadError
from tams_bench.rows import COLUMNS, PAGE, STEP, Rows
from tams_common.store import Query, Reader, Store, Tx, eq, ge, window_width
from tams_segments.tables import HEADS, OBJECTS, SEGMENTS, MediaObject, Segment

Operation: TypeAlias = Callable[[int], Awaitable[int]]
"""Does something for a client (a number from 0 on); returns the rows that it read or wrote."""


class Operations:
    """Lookups, pages and writes on one store that holds `rows`."""

    def __init__(self, store: Store, rows: Rows) -> None:
        self._store = store
        self._rows = rows
        self._width = window_width(PAGE, count=rows.length, first=0, last=rows.length * STEP)

    async def fill(self) -> None:
        """Writes the rows that the reads look for."""
        await self._store.run(lambda tx: tx.insert(HEADS, self._rows.heads))
        for segments, objects in self._rows.media():
            await self._put(segments, objects)

    async def lookup(self, _client: int) -> int:
        """Reads an object by its id."""
        key = (self._rows.object_id(),)
        return int(await self._store.read(lambda reader: reader.get(OBJECTS, key), bounded=True) is not None)

    async def page(self, _client: int) -> int:
        """Reads 30 segments of the long flow, with the hint that a flow's head gives."""
        where = (eq("flow_id", self._rows.flow), ge("start_ns", self._rows.page_start()))
        query = Query(where=where, limit=PAGE, width=self._width)

        def read(reader: Reader) -> int:
            return len(reader.select(SEGMENTS, COLUMNS, query=query).rows)

        return await self._store.read(read, bounded=True)

    async def single(self, client: int) -> int:
        """Adds a segment and rewrites its flow's head, which is known."""
        return await self._insert(client, segments=[self._rows.single(client)])

    async def append(self, client: int) -> int:
        """Adds a segment after a look at its flow's head."""
        segment = self._rows.single(client)

        def write(tx: Tx) -> None:
            head = tx.get(HEADS, (segment.flow_id,))
            if head is not None:
                tx.update(HEADS, [head])
                tx.insert(SEGMENTS, [segment])

        await self._store.run(write)
        return 1

    async def bulk(self, client: int) -> int:
        """Adds many segments at once."""
        return await self._insert(client, segments=self._rows.bulk(client))

    async def _put(self, segments: Sequence[Segment], objects: Sequence[MediaObject]) -> None:
        def write(tx: Tx) -> None:
            tx.touch(HEADS, (self._rows.flow,))
            tx.insert(SEGMENTS, segments)
            tx.insert(OBJECTS, objects)

        await self._store.run(write)

    async def _insert(self, client: int, *, segments: Sequence[Segment]) -> int:
        head = self._rows.head(client)

        def write(tx: Tx) -> None:
            tx.update(HEADS, [head])
            tx.insert(SEGMENTS, segments)

        await self._store.run(write)
        return len(segments)


def threaded(operation: Callable[[int], int], threads: Executor) -> Operation:
    """An operation that blocks, on a thread."""

    async def run(client: int) -> int:
        return await asyncio.get_running_loop().run_in_executor(threads, operation, client)

    return run


async def rate(operation: Operation, *, clients: int, seconds: float, rows: int) -> float:
    """Operations per second, each of which has to report `rows` rows.

    Each client goes on for `seconds`; what is under way then counts, with the time that it takes.
    """
    begin = time.perf_counter()
    end = begin + seconds

    async def client(number: int) -> int:
        done = 0
        while time.perf_counter() < end:
            found = await operation(number)
            if found != rows:
                raise LoadError(f"expected {rows} rows, got {found}")
            done += 1
        return done

    done = sum(await asyncio.gather(*map(client, range(clients))))
    return done / (time.perf_counter() - begin)
