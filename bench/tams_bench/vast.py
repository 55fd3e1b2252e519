"""The bench of the VAST store: the same operations on it, with the SDK used naively, and on SQLite."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final

from rich.status import Status

from tams_bench.corpus import BULK
from tams_bench.measure import Figure, interleave
from tams_bench.naive import Naive
from tams_bench.processes import emulator
from tams_bench.report import Report
from tams_bench.rows import PAGE, Rows
from tams_bench.stores import Operations
from tams_bench.vast_scenarios import MOST, Scenarios, Sizes
from tams_common.store import Store
from tams_common.store.sqlite import SqliteStore
from tams_common.store.vast import VastStore, place_of
from tams_segments.tables import TABLES

QUICK: Final = Sizes(length=1_000, seconds=0.1, embedded=0.05)
NAME: Final = "segments"
TITLE: Final = "TAMS bench: the store on VAST DB"
LIBRARIES: Final = ("vastdb", "pyarrow", "aiohttp", "msgspec")
METHOD: Final = """\
The store's adapter for VAST DB is driven directly, on the tables of the segments service, against `tams vast-emulator`
(in memory) in a process of its own; a flow of {length:,} segments with their objects lies in it. Each figure is the
median of the ratios of {rounds} rounds in which ours and the reference are measured next to each other; the smallest
and largest ratio stand beside it. "Naive" is the SDK `vastdb` as its examples show it, on the same tables of the same
emulator: a transaction for each call, the table opened by `bucket().schema().table()`, default options, and as many
threads as clients, each with a session of its own. It is spared what the store does besides: unique keys, the flow's
head as a lock, finding a page's end, lost answers. A lookup reads an object by id; a page is {page} segments from a
random time on; a single write adds a segment to the client's own flow and rewrites that flow's head; a bulk adds {bulk}
segments. Beside SQLite are the same operations on the store's adapter for it, durable, within this process: these
figures promise nothing, they tell what protocol, SDK and emulator cost. The emulator is no cluster: what carries over
is the number of requests and what a client spends on them.
"""


def run(*, quick: bool, rounds: int, status: Status, scratch: Path) -> Report:
    """Starts an emulator, measures stores on it, stops it."""
    sizes = QUICK if quick else Sizes()
    with emulator() as address:
        figures = asyncio.run(measure(address, sizes, rounds=rounds, status=status, scratch=scratch))
    method = METHOD.format(length=sizes.length, rounds=rounds, page=PAGE, bulk=BULK)
    return Report(TITLE, method, LIBRARIES, figures)


async def measure(address: str, sizes: Sizes, *, rounds: int, status: Status, scratch: Path) -> list[Figure]:
    """Fills a store on the emulator at `address` (`host:port`) and one on SQLite, then measures everything."""
    place = place_of(f"vast://{address}/vastdb/bench", access_key="test", secret_key="test")
    rows = Rows(sizes.length, writers=MOST)
    async with AsyncExitStack() as stack:
        status.update("filling: VAST DB")
        ours = await _filled(VastStore(place, NAME, tables=TABLES), rows, stack=stack)
        status.update("filling: SQLite")
        embedded = await _filled(SqliteStore(scratch, NAME, tables=TABLES), rows, stack=stack)
        scenarios = Scenarios(ours, embedded, naive=Naive(place, NAME, rows=rows), sizes=sizes)
        stack.callback(scenarios.close)
        pairs = scenarios.pairs()
        status.update("warming up")
        # First calls import modules, connect and ask what the server can.
        await interleave(pairs[:5], 1, progress=status.update)
        return await interleave(pairs, rounds, progress=status.update)


async def _filled(store: Store, rows: Rows, *, stack: AsyncExitStack) -> Operations:
    await store.open()
    stack.push_async_callback(store.close)
    await store.migrate()
    operations = Operations(store, rows)
    await operations.fill()
    return operations
