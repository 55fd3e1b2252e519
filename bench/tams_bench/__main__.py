"""`python -m tams_bench`: measures the running store and prints ratios against bare references."""

import argparse
import asyncio
import tempfile
from contextlib import closing
from pathlib import Path

from rich.console import Console
from rich.status import Status

from tams_bench import corpus, report, scenarios
from tams_bench.measure import Figure, interleave
from tams_bench.processes import Process, bare, store
from tams_bench.raw import RawStore
from tams_bench.scenarios import SIGNED, UNSIGNED, Bench, Sizes

QUICK = Sizes(page_flow=5_000, short_flow=2_000, long_flow=10_000, seconds=0.3, bulks=3, singles=320)
IDLE_MEMORY = 120
READY = 2.0


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
        return figures + await interleave(bench.lengths(long, short), rounds, progress=status.update)


def main() -> None:
    """Runs the bench and prints its table; exit status 1 when a figure is missed."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--quick", action="store_true", help="small flows and short rounds: shows that the bench works")
    parser.add_argument("--write", type=Path, default=None, help="also write the tables to this Markdown file")
    options = parser.parse_args()
    sizes = QUICK if options.quick else Sizes()
    with (
        tempfile.TemporaryDirectory(prefix="tams-bench-") as directory,
        Console(stderr=True).status("starting") as status,
    ):
        scratch = Path(directory)
        with store(scratch / "data"):
            pass
        with store(scratch / "data") as process:
            plain = [
                ("second start, until ready", f"{process.started:.2f} s", f"< {READY} s", process.started < READY),
                _memory(process),
            ]
            figures = asyncio.run(measure(process, sizes, rounds=options.rounds, status=status, scratch=scratch))
    report.show(figures, plain)
    if options.write:
        report.write(options.write, figures, plain=plain)
    if not all(figure.holds for figure in figures) or not all(line[3] for line in plain):
        raise SystemExit(1)


def _memory(process: Process) -> tuple[str, str, str, bool]:
    megabytes = process.resident / 1e6
    return ("idle memory of `tams dev`", f"{megabytes:.0f} MB", f"≤ {IDLE_MEMORY} MB", megabytes <= IDLE_MEMORY)


if __name__ == "__main__":
    main()
