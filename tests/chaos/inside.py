"""The tables and backends of a store under test, looked at past its services."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from tams_common.clock import system_clock
from tams_common.config import Common, read
from tams_common.errors import NotFound
from tams_common.objects import Copies, Objects
from tams_common.objects.checking import Options, Report
from tams_common.runtime import wiring
from tams_common.store import Query, Reader, Store
from tams_segments.checking import check_storage
from tams_segments.collector import UPLOAD_GRACE, Collector
from tams_segments.copy_jobs import progress_of
from tams_segments.deletion_requests import to_do
from tams_segments.tables import ALLOCATIONS, COPIES, GARBAGE, TABLES, TOMBSTONES
from tests.stores import make_store


class Inside:
    """What is under way, and whether index and bytes agree."""

    def __init__(self, store: Store, places: Sequence[Objects], *, common: Common) -> None:
        self._store = store
        self._common = common
        self._places: dict[str, Objects] = {objects.backend.id: objects for objects in places}

    async def copies(self) -> int:
        """Copies that are still to be made."""
        return len((await self._store.read(lambda tx: tx.select(COPIES, ("due",), query=Query()))).rows)

    async def halves(self) -> int:
        """Copies of which parts have arrived, and parts are missing."""
        found = 0
        for job in (await self._store.read(lambda tx: tx.scan(COPIES, Query()))).rows:
            begun, target = progress_of(job), self._places[job.storage_id]
            assert isinstance(target, Copies)
            if begun is not None and begun.upload.size > begun.upload.part_size:
                with suppress(NotFound):  # it has been completed meanwhile
                    found += 0 < await target.arrived(begun.upload) < begun.upload.size
        return found

    async def deletions(self) -> int:
        """Deletions that were answered 202 and are not done."""
        return len((await self._store.read(lambda tx: to_do(tx, now=system_clock()))).open)

    async def collect_later(self) -> None:
        """Collects as segments will: first when all that was never registered has expired, then when its bytes go."""
        places = list(self._places.values())
        for later in (UPLOAD_GRACE, 3 * UPLOAD_GRACE):
            clock = partial(_clock_ahead, later)
            await Collector(self._store, places, clock=clock, common=self._common, interval=1).sweep()

    async def owed(self) -> int:
        """What the collector still means to look at."""

        def count(tx: Reader) -> int:
            return sum(
                len(tx.select(table, ("due",), query=Query()).rows) for table in (ALLOCATIONS, GARBAGE, TOMBSTONES)
            )

        return await self._store.read(count)

    async def compare(self) -> Report:
        """What `tams storage check` finds, with no time of grace."""
        places = list(self._places.values())
        return await check_storage(self._store, places, options=Options(grace=0), clock=system_clock)


@asynccontextmanager
async def inside(data: Path, *, objects: str) -> AsyncIterator[Inside]:
    """The store whose tables are kept for `data`, and its media at the URL `objects`."""
    common = read(Common, "TAMS_", environ={"TAMS_OBJECTS_URL": objects})
    store, places = make_store(data, "segments", tables=TABLES), wiring.make_objects(common)
    async with AsyncExitStack() as stack:
        await store.open()
        stack.push_async_callback(store.close)
        for place in places:
            await place.open()
            stack.push_async_callback(place.close)
        yield Inside(store, places, common=common)


def _clock_ahead(later: int) -> int:
    return system_clock() + later
