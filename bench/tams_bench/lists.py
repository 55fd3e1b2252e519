"""The bench of lists: pages of 100,000 flows with tags, filtered in every way."""

import asyncio
import sqlite3
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import msgspec
from rich.status import Status

from tams_bench import list_corpus, list_sql
from tams_bench.corpus import call
from tams_bench.list_sql import Statement
from tams_bench.load import request, send_for
from tams_bench.measure import Figure, Measure, Pair, interleave
from tams_bench.processes import TOKEN, store
from tams_bench.report import Report
from tams_catalog.filters import flow_conditions, order_of
from tams_catalog.listing import Ask, list_flows
from tams_catalog.tables import TABLES
from tams_common.http.query import Params
from tams_common.model.values import AUDIO, VIDEO
from tams_common.store import Store
from tams_common.store.sqlite import SqliteStore

TITLE: Final = "TAMS bench: lists"
LIBRARIES: Final = ("aiohttp", "uvloop", "msgspec")
LIMIT: Final = 30
METHOD: Final = """\
Two catalogs on SQLite, of {many:,} and of {few:,} flows with some eight tokens of tags each. Unfiltered pages and
single filters are asked of a real `tams dev` on each of them over a kept-alive connection. Conjunctions and negations
are asked of the catalog's own use case within this process; beside it, on a thread as well, the same page is put
together by hand: with the fastest of up to eight SQL statements on the same tables, found out before, and the same
bodies. What others feel is the 99th percentile of `GET /flows/{{id}}` by four clients while one more asks for a list
that reads all rows, over and over, against the same without it. Each figure is the median of the ratios of {rounds}
rounds in which ours and the reference are measured next to each other; the smallest and largest ratio stand beside it.
"""
SINGLE: Final = {
    "no filter": "",
    "sort_by=label": "sort_by=label",
    "sort_by=metadata_updated": "sort_by=metadata_updated",
    "format": f"format={VIDEO}",
    "codec": "codec=audio/aac",
    "label": "label=camera%2077",
    "status": "status=ingesting",
    "frame_width": "frame_width=3840",
    "collected_by_ids=": "collected_by_ids=",
    "timerange=()": "timerange=()",
    "tag, common": "tag.colour=colour%201",
    "tag, rare": "tag.asset=asset%207",
    "tag_exists=true": "tag_exists.genre=true",
}
JOINED: Final = {
    "two columns, nothing": f"format={VIDEO}&codec=audio/aac",
    "three columns": f"format={VIDEO}&status=ingesting&frame_width=1920",
    "tag and column": f"format={AUDIO}&tag.genre=genre%203",
    "two tags": "tag.colour=colour%201&tag.genre=genre%203",
    "three tags, rare": "tag.colour=colour%202&tag.genre=genre%202&tag.site=site%202",
    "a tag is absent": "tag_exists.colour=false",
    "an unknown tag is absent": "tag_exists.nothing=false&status=ingesting",
    "three tags are absent": "status=ingesting&tag_exists.colour=false&tag_exists.genre=false&tag_exists.site=false",
    "tag, and none of another": "tag.colour=colour%201&tag_exists.people=false",
    "unknown tag and column": "tag.nothing=at%20all&status=ingesting",
    "timerange, nothing": "timerange=[0:0_10:0)",
    "timerange and tag, nothing": "timerange=[0:0_10:0)&tag.colour=colour%201",
}


class Sizes(msgspec.Struct, frozen=True):
    """How much is measured: flows of the two catalogs, seconds per measure, pages per conjunction."""

    many: int = 100_000
    few: int = 1_000
    seconds: float = 0.5
    pages: int = 5


QUICK: Final = Sizes(many=5_000, few=500, seconds=0.1, pages=2)


def run(*, quick: bool, rounds: int, status: Status, scratch: Path) -> Report:
    """Fills two catalogs, measures pages of them."""
    sizes = QUICK if quick else Sizes()
    status.update(f"filling: {sizes.many:,} flows")
    asyncio.run(list_corpus.fill(scratch / "many", sizes.many))
    asyncio.run(list_corpus.fill(scratch / "few", sizes.few))
    figures = asyncio.run(_joined(scratch / "many", sizes, rounds=rounds, status=status))
    with store(scratch / "many") as many, store(scratch / "few") as few:
        pairs = [*singles(many.port, few.port, sizes=sizes), others(many.port, sizes=sizes)]
        figures = asyncio.run(interleave(pairs, rounds, progress=status.update)) + figures
    method = METHOD.format(many=sizes.many, few=sizes.few, rounds=rounds)
    return Report(TITLE, method, LIBRARIES, figures)


def singles(many: int, few: int, *, sizes: Sizes) -> list[Pair]:
    """Pages with no filter or one that an index serves, of many flows against few: seconds per page."""

    def page(port: int, query: str) -> Measure:
        requests = [request("GET", f"/flows?limit={LIMIT}&{query}", token=TOKEN)]

        async def measure() -> float:
            return 1 / (await send_for(port, requests, clients=1, seconds=sizes.seconds)).rate

        return measure

    return [
        Pair(
            name=f"page, {name}",
            ours=page(many, query),
            reference=page(few, query),
            unit="s",
            wanted=3,
            at_least=False,
            against=f"{sizes.few:,} flows",
        )
        for name, query in SINGLE.items()
    ]


def others(port: int, *, sizes: Sizes) -> Pair:
    """What readers of single flows feel of a client that asks for dear lists."""
    flow = _first_id(port)
    reads = [request("GET", f"/flows/{flow}", token=TOKEN)]
    dear = [request("GET", "/flows?timerange=[0:0_10:0)", token=TOKEN)]

    async def idle() -> float:
        return (await send_for(port, reads, clients=4, seconds=2 * sizes.seconds)).quantile(0.99)

    async def beside() -> float:
        asking = asyncio.create_task(send_for(port, dear, clients=1, seconds=60))
        value = await idle()
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        return value

    name = "GET of a flow, p99, beside dear lists"
    return Pair(name=name, ours=beside, reference=idle, unit="s", wanted=3, at_least=False, against="the same, idle")


async def _joined(directory: Path, sizes: Sizes, *, rounds: int, status: Status) -> list[Figure]:
    """Conjunctions and negations, against SQL by hand."""
    path = directory / "catalog.sqlite"
    opened = SqliteStore(directory, "catalog", tables=TABLES)
    await opened.open()
    with closing(list_sql.connect(path)) as reader, ThreadPoolExecutor(1) as thread:
        pairs = []
        for name, query in JOINED.items():
            status.update(f"looking for the best statement: {name}")
            ask = _ask(query)
            statement = list_sql.best(path, [list_sql.term_of(each) for each in ask.where], tries=sizes.pages)
            listing = await opened.read(partial(list_flows, ask=ask))
            assert listing.json() == list_sql.page(reader, statement), "the page by hand is another one"
            pairs.append(
                Pair(
                    name=f"list, {name}",
                    ours=_ours(opened, ask, pages=sizes.pages),
                    reference=_by_hand(reader, statement, thread=thread, pages=sizes.pages),
                    unit="s",
                    wanted=2,
                    at_least=False,
                    against="best SQL by hand",
                )
            )
        figures = await interleave(pairs, rounds, progress=status.update)
    await opened.close()
    return figures


def _ask(query: str) -> Ask:
    params = Params.parse(query)
    return Ask(flow_conditions(params), order_of(params, ("created",)), None, LIMIT)


def _ours(opened: Store, ask: Ask, *, pages: int) -> Measure:
    async def measure() -> float:
        begin = time.perf_counter()
        for _ in range(pages):
            await opened.read(partial(list_flows, ask=ask), bounded=ask.bounded)
        return (time.perf_counter() - begin) / pages

    return measure


def _by_hand(reader: sqlite3.Connection, statement: Statement, *, thread: Executor, pages: int) -> Measure:
    async def measure() -> float:
        loop = asyncio.get_running_loop()
        begin = time.perf_counter()
        for _ in range(pages):
            await loop.run_in_executor(thread, lambda: list_sql.page(reader, statement))
        return (time.perf_counter() - begin) / pages

    return measure


def _first_id(port: int) -> str:
    async def ask() -> str:
        flows = msgspec.json.decode(await call(port, "GET", path="/flows?limit=1"))
        return str(flows[0]["id"])

    return asyncio.run(ask())
