"""What is measured, and against what: the figures that the project promises."""

import asyncio
import random
from typing import Final

import msgspec

from tams_bench import corpus
from tams_bench.corpus import Flow
from tams_bench.load import connect, request, send_all, send_for
from tams_bench.measure import Measure, Pair
from tams_bench.processes import TOKEN
from tams_bench.raw import RawStore

UNSIGNED: Final = "&accept_get_urls="
SIGNED: Final = ""


class Sizes(msgspec.Struct, frozen=True):
    """How much is measured: lengths of flows in segments, seconds per read measure, requests per write measure."""

    page_flow: int = 100_000
    short_flow: int = 10_000
    long_flow: int = 1_000_000
    seconds: float = 1.0
    bulks: int = 8
    singles: int = 1_600
    clients: int = 16
    readers: int = 8


class Bench:
    """The scenarios on one running store at `port`."""

    def __init__(self, port: int, sizes: Sizes, *, raw: RawStore) -> None:
        self._port = port
        self._sizes = sizes
        self._raw = raw
        self._random = random.Random(8)
        self._next: dict[str, int] = {}

    def reads(self, flow: Flow, bare: tuple[int, int]) -> list[Pair]:
        """Pages of 30 at random times, against a bare handler that returns the same bytes (without and with URLs)."""
        unsigned, signed = bare
        return [
            Pair(
                name="page of 30, no URLs",
                ours=self._pages(flow, UNSIGNED),
                reference=self._fixed(unsigned),
                unit="requests/s",
                wanted=0.35,
                against="bare aiohttp handler",
            ),
            Pair(
                name="page of 30, signed URLs",
                ours=self._pages(flow, SIGNED),
                reference=self._fixed(signed),
                unit="requests/s",
                wanted=0.15,
                against="bare aiohttp handler",
            ),
        ]

    def busy(self, flow: Flow) -> Pair:
        """p99 of pages beside a bulk writer, against the idle store."""
        return Pair(
            name="page p99 beside a bulk writer",
            ours=self._beside_writer(self._p99(flow)),
            reference=self._p99(flow),
            unit="s",
            wanted=5,
            at_least=False,
            against="the same, idle",
        )

    def writes(self) -> list[Pair]:
        """Bulk and single registration, against raw sqlite3 with synchronous=FULL."""
        single = self._raw_single
        return [
            Pair(
                name="bulk POST of 300",
                ours=self._bulks,
                reference=self._raw_bulk,
                unit="segments/s",
                wanted=0.2,
                against="raw insert, same rows",
            ),
            Pair(
                name="single POST, 16 clients, one flow",
                ours=lambda: self._singles(flows=1),
                reference=single,
                unit="commits/s",
                wanted=0.5,
                against="raw one-row commits",
            ),
            Pair(
                name="single POST, 16 clients, 16 flows",
                ours=lambda: self._singles(flows=16),
                reference=single,
                unit="commits/s",
                wanted=0.5,
                against="raw one-row commits",
            ),
        ]

    def lengths(self, long: Flow, short: Flow) -> list[Pair]:
        """The same page and the same append on a long flow and on a short one: seconds per request."""
        return [
            Pair(
                name=f"page, {long.length:,} segments",
                ours=self._page_cost(long),
                reference=self._page_cost(short),
                unit="s",
                wanted=1.5,
                at_least=False,
                against=f"{short.length:,} segments",
            ),
            Pair(
                name=f"append, {long.length:,} segments",
                ours=self._append_cost(long),
                reference=self._append_cost(short),
                unit="s",
                wanted=1.5,
                at_least=False,
                against=f"{short.length:,} segments",
            ),
        ]

    def _pages(self, flow: Flow, query: str) -> Measure:
        requests = corpus.random_pages(flow, 2000, query=query, randomness=self._random)

        async def measure() -> float:
            return (await send_for(self._port, requests, clients=self._sizes.readers, seconds=self._sizes.seconds)).rate

        return measure

    def _fixed(self, port: int) -> Measure:
        async def measure() -> float:
            requests = [request("GET", "/", token=TOKEN)]
            return (await send_for(port, requests, clients=self._sizes.readers, seconds=self._sizes.seconds)).rate

        return measure

    def _p99(self, flow: Flow) -> Measure:
        requests = corpus.random_pages(flow, 2000, query=UNSIGNED, randomness=self._random)

        async def measure() -> float:
            return (await send_for(self._port, requests, clients=4, seconds=2 * self._sizes.seconds)).quantile(0.99)

        return measure

    def _page_cost(self, flow: Flow) -> Measure:
        requests = corpus.random_pages(flow, 2000, query=UNSIGNED, randomness=self._random)

        async def measure() -> float:
            return 1 / (await send_for(self._port, requests, clients=1, seconds=self._sizes.seconds)).rate

        return measure

    def _append_cost(self, flow: Flow) -> Measure:
        async def measure() -> float:
            count = self._sizes.singles // 8
            ids = await corpus.allocate(self._port, flow.id, count=count)
            start = self._advance(flow.id, count, first=flow.length)
            requests = [corpus.single(flow.id, id_, position=start + n) for n, id_ in enumerate(ids)]
            return 1 / (await send_all(self._port, requests, clients=1, expect=201)).rate

        return measure

    def _beside_writer(self, read: Measure) -> Measure:
        async def measure() -> float:
            flow = await corpus.make_flow(self._port)
            batches = [await corpus.allocate(self._port, flow, count=corpus.BULK) for _ in range(40)]
            requests = [corpus.bulk(flow, ids, start=n * corpus.BULK) for n, ids in enumerate(batches)]
            writer = asyncio.create_task(self._write_all(requests))
            value = await read()
            if writer.done():
                await writer
                raise RuntimeError("the bulk writer ended before the readers: nothing was measured beside it")
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            return value

        return measure

    async def _write_all(self, requests: list[bytes]) -> None:
        connection = await connect(self._port)
        try:
            for data in requests:
                await connection.exchange(data)
        finally:
            connection.close()

    async def _bulks(self) -> float:
        flow = await corpus.make_flow(self._port)
        batches = [await corpus.allocate(self._port, flow, count=corpus.BULK) for _ in range(self._sizes.bulks)]
        requests = [corpus.bulk(flow, ids, start=n * corpus.BULK) for n, ids in enumerate(batches)]
        return (await send_all(self._port, requests, clients=1, expect=201)).rate * corpus.BULK

    async def _raw_bulk(self) -> float:
        return await asyncio.to_thread(self._raw.bulk, self._sizes.bulks)

    async def _raw_single(self) -> float:
        return await asyncio.to_thread(self._raw.single, self._sizes.singles)

    async def _singles(self, *, flows: int) -> float:
        made = [await corpus.make_flow(self._port) for _ in range(flows)]
        requests: list[bytes] = []
        each = self._sizes.singles // flows
        per_flow = [await corpus.allocate(self._port, flow, count=each) for flow in made]
        for position in range(each):
            for flow, ids in zip(made, per_flow, strict=True):
                requests.append(corpus.single(flow, ids[position], position=position))
        return (await send_all(self._port, requests, clients=self._sizes.clients, expect=201)).rate

    def _advance(self, flow: str, count: int, *, first: int) -> int:
        start = self._next.get(flow, first)
        self._next[flow] = start + count
        return start


async def page_bytes(port: int, flow: Flow, *, query: str) -> bytes:
    """One page of `flow`, as the bare handler will return it."""
    (page,) = corpus.random_pages(flow, 1, query=query, randomness=random.Random(1))
    connection = await connect(port)
    status, body = await connection.exchange(page)
    connection.close()
    if status != 200:
        raise RuntimeError(f"the store answered {status}: {body[:300]!r}")
    return body
