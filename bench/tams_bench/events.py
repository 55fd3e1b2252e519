"""The bench of the event path: how long after a commit the world has heard of it, and how much it hears at once."""

import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from rich.status import Status

from tams_bench import corpus
from tams_bench.listeners import HANG, Heard, Receiver, receiver, topic
from tams_bench.load import Connection, connect, send_all
from tams_bench.measure import Figure, Measure, Pair, interleave
from tams_bench.processes import Process, store
from tams_bench.report import Report
from tams_common.errors import TamsError
from tools.kafka import Broker
from tools.kafka_runners import CannotRun

LIBRARIES: Final = ("aiohttp", "uvloop", "aiokafka", "msgspec")
METHOD: Final = """\
A real `tams dev` gets a registration every {pace:.0f} ms; what counts is the time from its 201 to the moment at which
the body of the webhook's request is read, or Kafka's record has been polled. The floor is a bare aiohttp client that
posts the same body to the same receiver, from the call to its answer. Figures are medians of {rounds} interleaved
rounds of {count} registrations each. Sustained: {clients} clients register as fast as they can while {webhooks}
webhooks get all of it.
"""


class Sizes(msgspec.Struct, frozen=True):
    """How much is measured: registrations per round, `pace` seconds between them, and for the sustained figure."""

    count: int = 100
    pace: float = 0.02
    sustained: int = 1600
    clients: int = 8
    webhooks: int = 20


QUICK: Final = Sizes(count=20, sustained=160)


class Events:
    """The scenarios on one running store at `port` whose webhooks go to `receiving`."""

    def __init__(self, port: int, sizes: Sizes, *, receiving: Receiver, session: aiohttp.ClientSession) -> None:
        self._port = port
        self._sizes = sizes
        self._receiving = receiving
        self._session = session
        self._body = b""

    async def webhook(self, path: str) -> dict[str, Any]:
        """A webhook for segments at `path` of the receiver, as the store shows it."""
        body = {"url": self._receiving.url + path, "events": ["flows/segments_added"], "accept_get_urls": []}
        answer = await corpus.call(self._port, "POST", path="/service/webhooks", json=body)
        return dict(msgspec.json.decode(answer))

    async def switch(self, webhook: dict[str, Any], *, on: bool) -> None:
        """Lets a webhook be sent events, or not."""
        body = {**webhook, "status": "created" if on else "disabled"}
        await corpus.call(self._port, "PUT", path=f"/service/webhooks/{webhook['id']}", json=body)

    async def latencies(self, heard: Heard) -> list[float]:
        """Seconds from the answer to a registration to the moment at which it was heard of, one by one."""
        flow, sizes = await corpus.make_flow(self._port), self._sizes
        ids = await corpus.allocate(self._port, flow, count=sizes.count)
        connection = await connect(self._port)
        done: dict[str, float] = {}
        wanted = heard.count + len(ids)
        try:
            for position, object_id in enumerate(ids):
                begin = time.perf_counter()
                await self._register(connection, corpus.single(flow, object_id, position=position))
                done[object_id] = time.perf_counter()
                await asyncio.sleep(max(0.0, sizes.pace - (time.perf_counter() - begin)))
            await heard.until(wanted)
        finally:
            connection.close()
        return [max(0.0, heard.at[object_id] - at) for object_id, at in done.items()]

    async def _register(self, connection: Connection, request: bytes) -> None:
        status, body = await connection.exchange(request)
        assert status == 201, body

    async def floor(self) -> float:
        """Seconds that a bare client's POST to the same receiver takes: the median."""
        body = msgspec.json.encode({"event_type": "flows/segments_added", "event": {"segments": [{"object_id": "x"}]}})
        taken: list[float] = []
        for _ in range(self._sizes.count):
            begin = time.perf_counter()
            async with self._session.post(f"{self._receiving.url}/floor", data=body) as answer:
                await answer.read()
            taken.append(time.perf_counter() - begin)
            await asyncio.sleep(max(0.0, self._sizes.pace - taken[-1]))
        return statistics.median(taken)

    def quantile(self, heard: Heard, share: float) -> Measure:
        """A quantile of `latencies`."""

        async def measure() -> float:
            return ordered(await self.latencies(heard), share)

        return measure

    def beside(self, heard: Heard, dead: dict[str, Any]) -> Pair:
        """p95 of a live webhook while a dead one hangs, against the same without it."""

        async def with_dead() -> float:
            await self.switch(dead, on=True)
            value = ordered(await self.latencies(heard), 0.95)
            await self.switch(dead, on=False)
            return value

        return Pair(
            name="p95 of a live webhook beside a dead one",
            ours=with_dead,
            reference=self.quantile(heard, 0.95),
            unit="s",
            wanted=1.2,
            at_least=False,
            against="the same without it",
        )

    async def sustained(self, heard: Sequence[Heard]) -> tuple[float, float]:
        """Registrations and deliveries per second until every webhook has heard of everything."""
        sizes = self._sizes
        flows = [await corpus.make_flow(self._port) for _ in range(sizes.clients)]
        each = sizes.sustained // sizes.clients
        requests: list[bytes] = []
        for flow in flows:
            ids = await corpus.allocate(self._port, flow, count=each)
            requests += [corpus.single(flow, id_, position=position) for position, id_ in enumerate(ids)]
        # Every flow's registrations in order, the flows side by side.
        interleaved = [requests[place * each + step] for step in range(each) for place in range(sizes.clients)]
        wanted = [one.count + len(requests) for one in heard]
        begin = time.perf_counter()
        written = await send_all(self._port, interleaved, clients=sizes.clients, expect=201)
        await asyncio.gather(*(one.until(count) for one, count in zip(heard, wanted, strict=True)))
        return written.rate, len(heard) * len(requests) / (time.perf_counter() - begin)


def ordered(latencies: Sequence[float], share: float) -> float:
    """The latency that `share` of them do not exceed."""
    return sorted(latencies)[min(len(latencies) - 1, int(share * len(latencies)))]


def run(*, quick: bool, rounds: int, status: Status, scratch: Path) -> Report:
    """Starts a store and a broker, measures, stops them."""
    sizes = QUICK if quick else Sizes()
    with store(scratch / "data") as process:
        figures, plain = asyncio.run(_webhooks(process, sizes, rounds=rounds, status=status))
    with ExitStack() as stack:
        address = stack.enter_context(_broker(scratch / "kafka"))
        if address:
            url = f"kafka://{address}?prefix=bench."
            process = stack.enter_context(store(scratch / "kafka-data", "--bus", url))
            plain += asyncio.run(_kafka(process, url, sizes=sizes, rounds=rounds, status=status))
    method = METHOD.format(
        rounds=rounds, count=sizes.count, pace=sizes.pace * 1000, clients=sizes.clients, webhooks=sizes.webhooks
    )
    return Report("TAMS event path", method, LIBRARIES, figures, plain)


async def _webhooks(
    process: Process, sizes: Sizes, *, rounds: int, status: Status
) -> tuple[list[Figure], list[tuple[str, str, str, bool]]]:
    paths = ["/floor", "/live", HANG, *(f"/{number}" for number in range(1, sizes.webhooks))]
    async with receiver(paths) as receiving, aiohttp.ClientSession() as session:
        events = Events(process.port, sizes, receiving=receiving, session=session)
        live = receiving.paths["/live"]
        await events.webhook("/live")
        dead = await events.webhook(HANG)
        await events.switch(dead, on=False)
        p50 = Pair(
            name="commit → webhook received, p50",
            ours=events.quantile(live, 0.5),
            reference=events.floor,
            unit="s",
            wanted=3,
            at_least=False,
            against="bare aiohttp POST, median",
        )
        figures = await interleave([p50, events.beside(live, dead)], rounds, progress=status.update)
        status.update("p99")
        p99 = statistics.median([ordered(await events.latencies(live), 0.99) for _ in range(3)])
        for number in range(1, sizes.webhooks):
            await events.webhook(f"/{number}")
        status.update(f"{sizes.webhooks} webhooks")
        everyone = [live, *(receiving.paths[f"/{number}"] for number in range(1, sizes.webhooks))]
        rates = [await events.sustained(everyone) for _ in range(3)]
    written, delivered = (statistics.median(column) for column in zip(*rates, strict=True))
    return figures, [
        ("commit → webhook received, p99", f"{p99 * 1000:.1f} ms", "–", True),
        (f"registrations beside {sizes.webhooks} webhooks", f"{written:,.0f} per second", "–", True),
        (f"deliveries to {sizes.webhooks} webhooks, sustained", f"{delivered:,.0f} per second", "–", True),
    ]


async def _kafka(
    process: Process, url: str, *, sizes: Sizes, rounds: int, status: Status
) -> list[tuple[str, str, str, bool]]:
    async with receiver(["/floor"]) as receiving, aiohttp.ClientSession() as session, topic(url) as heard:
        events = Events(process.port, sizes, receiving=receiving, session=session)
        status.update("Kafka")
        taken = [await events.latencies(heard) for _ in range(rounds)]
    p50, p99 = (statistics.median(ordered(each, share) for each in taken) * 1000 for share in (0.5, 0.99))
    return [
        ("commit → Kafka, p50", f"{p50:.1f} ms", "–", True),
        ("commit → Kafka, p99", f"{p99:.1f} ms", "–", True),
    ]


@contextmanager
def _broker(data: Path) -> Iterator[str]:
    """The address of a fresh broker, empty where there can be none."""
    broker = Broker(Path(tempfile.mkdtemp(prefix="kafka-", dir=data.parent)))
    try:
        broker.start()
    except (CannotRun, TamsError) as error:
        print(f"no Kafka: {error}")
        yield ""
        return
    try:
        yield broker.address
    finally:
        broker.remove()
