"""Reads of other flows while all segments of a long one are being deleted."""

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec
from rich.status import Status

from tams_bench import corpus
from tams_bench.corpus import Flow
from tams_bench.load import LoadError, send_for
from tams_bench.measure import Figure
from tams_bench.processes import Process, store
from tams_bench.report import Report

CLIENTS: Final = 4
WANTED: Final = 3
LONG: Final = 1_000_000
OTHER: Final = 100_000
LIBRARIES: Final = ("aiohttp", "uvloop", "msgspec")
METHOD: Final = """\
A real `tams dev` is asked to delete all {long:,} segments of a flow. It answers 202 after the first batch, and its
worker goes on. Meanwhile {clients} clients read random pages of another flow of {other:,} segments as fast as they
can, for {seconds:.0f} s at a time. The reference are {rounds} such measures just before the deletion.
"""


def run(*, quick: bool, rounds: int, status: Status, scratch: Path) -> Report:
    """Starts a store, fills it, measures, stops it."""
    long, other, seconds = (20_000, 5_000, 0.5) if quick else (LONG, OTHER, 4.0)
    with store(scratch / "data") as process:
        figure = asyncio.run(_measure(process, (long, other), rounds=rounds, seconds=seconds, status=status))
    method = METHOD.format(long=long, other=other, clients=CLIENTS, seconds=seconds, rounds=rounds)
    return Report("TAMS bench: reads beside a deletion", method, LIBRARIES, [figure])


async def _measure(process: Process, sizes: tuple[int, int], *, rounds: int, seconds: float, status: Status) -> Figure:
    status.update("filling: the flow to be deleted")
    long = await corpus.seed(process.port, sizes[0])
    status.update("filling: the flow to be read")
    other = await corpus.seed(process.port, sizes[1])
    return await Deletion(process.port, long=long, other=other, seconds=seconds).figure(rounds, progress=status.update)


class Deletion:
    """One deletion of all segments of `long`, and pages of `other` before it and beside it, for `seconds` at a time."""

    def __init__(self, port: int, *, long: Flow, other: Flow, seconds: float) -> None:
        self._port = port
        self._long = long
        self._seconds = seconds
        self._requests = corpus.random_pages(other, 2000, query="&accept_get_urls=", randomness=random.Random(8))

    async def figure(self, rounds: int, *, progress: Callable[[str], None]) -> Figure:
        """The p99 beside the deletion against that of the idle store just before it."""
        name = f"page p99, {self._long.length:,} segments being deleted"
        idle, busy = list[float](), list[float]()
        for number in range(rounds):
            progress(f"round {number + 1}/{rounds}: {name}: idle")
            idle.append(await self._p99())
        request_id = await self._begin()
        for number in range(rounds):
            progress(f"round {number + 1}/{rounds}: {name}")
            p99 = await self._p99()
            if await self._is_done(request_id) and busy:
                break
            busy.append(p99)
        return Figure(
            name=name,
            ours=busy,
            reference=idle[: len(busy)],
            unit="s",
            wanted=WANTED,
            at_least=False,
            against="the same, idle",
        )

    async def _p99(self) -> float:
        return (await send_for(self._port, self._requests, clients=CLIENTS, seconds=self._seconds)).quantile(0.99)

    async def _begin(self) -> str:
        answer = await corpus.call(self._port, "DELETE", path=f"/flows/{self._long.id}/segments")
        if not answer:
            raise LoadError("the deletion was done at once: nothing can be measured beside it")
        return str(msgspec.json.decode(answer)["id"])

    async def _is_done(self, request_id: str) -> bool:
        answer = await corpus.call(self._port, "GET", path=f"/flow-delete-requests/{request_id}")
        return bool(msgspec.json.decode(answer)["status"] == "done")
