"""The bench of the running store: a real `tams dev` under load, against bare references."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Final

from rich.status import Status

from tams_bench import corpus, scenarios
from tams_bench.measure import Figure, interleave
from tams_bench.processes import Process, bare, store
from tams_bench.raw import RawStore
from tams_bench.report import Report
from tams_bench.scenarios import SIGNED, UNSIGNED, Bench, Sizes

QUICK: Final = Sizes(page_flow=5_000, short_flow=2_000, long_flow=10_000, seconds=0.3, bulks=3, singles=320)
IDLE_MEMORY: Final = 120
READY: Final = 2.0
LIBRARIES: Final = ("aiohttp", "uvloop", "msgspec")
METHOD: Final = """\
A real `tams dev` (gateway, authentication, access log, event path) on a fresh directory is loaded from a second process
over keep-alive connections. Each figure is the median of the ratios of {rounds} rounds in which ours and the reference
are measured next to each other; the smallest and largest ratio stand beside it. Reads are held against a bare aiohttp
handler on uvloop that returns the same bytes; writes against raw `sqlite3` that commits the same rows into the same
tables with `synchronous=FULL`, which is what "durable" means for ours, too. Allocation of media objects is not part of
the write figures, their registration is.
"""


def run(*, quick: bool, rounds: int, status: Status, scratch: Path) -> Report:
    """Starts a store, measures it, stops it."""
    with store(scratch / "data"):
        pass
    with store(scratch / "data") as process:
        plain = [
            ("second start, until ready", f"{process.started:.2f} s", f"< {READY} s", process.started < READY),
            _memory(process),
        ]
        sizes = QUICK if quick else Sizes()
        figures = asyncio.run(measure(process, sizes, rounds=rounds, status=status, scratch=scratch))
    return Report("TAMS bench", METHOD.format(rounds=rounds), LIBRARIES, figures, plain)


async def measure(process: Process, sizes: Sizes, *, rounds: int, status: Status, scratch: Path) -> list[Figure]:
    """Fills the store, then measures everything."""
    status.update("filling: flow for pages")
    page_flow = await corpus.seed(process.port, sizes.page_flow)
    status.update("filling: short flow")
    short = await corpus.seed(process.port, sizes.short_flow)
    raw = RawStore(scratch / "raw.sqlite", process.data / "segments.sqlite", flow=short.id, rows=corpus.BULK)
    with closing(raw):
        bench = Bench(process.port, sizes, raw=raw)
        unsigned = await scenarios.page_bytes(process.port, page_flow, query=UNSIGNED)
        signed = await scenarios.page_bytes(process.port, page_flow, query=SIGNED)
        with bare(unsigned) as unsigned_port, bare(signed) as signed_port:
            pairs = [*bench.reads(page_flow, (unsigned_port, signed_port)), bench.busy(page_flow), *bench.writes()]
            figures = await interleave(pairs, rounds, progress=status.update)
        status.update("filling: long flow")
        long = await corpus.seed(process.port, sizes.long_flow)
        return [*figures, *await interleave(bench.lengths(long, short), rounds, progress=status.update)]


def _memory(process: Process) -> tuple[str, str, str, bool]:
    megabytes = process.resident / 1e6
    return ("idle memory of `tams dev`", f"{megabytes:.0f} MB", f"≤ {IDLE_MEMORY} MB", megabytes <= IDLE_MEMORY)
