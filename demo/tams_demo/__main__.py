"""Real media in, real media out, against any TAMS store or one that is started for the occasion."""

import argparse
import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final
from uuid import uuid4

from rich.console import Console
from rich.text import Text

from tams_demo.checking import Mismatch
from tams_demo.clip import UnusableClip
from tams_demo.connection import Connection, StoreError
from tams_demo.local_store import Address, running_store
from tams_demo.recording import Recording, make, take
from tams_demo.report import Report
from tams_demo.store import Store
from tams_demo.story import Story
from tams_demo.timeline import NANOSECONDS, read_timestamp
from tams_demo.wrapping import WRAPPINGS, Wrapping

TAI_AHEAD: Final = 37
"""Seconds that TAI is ahead of UTC."""
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Options:
    """The command line: what to store, where, and where its time line begins (in nanoseconds)."""

    url: str | None
    token: str | None
    objects: str | None
    file: Path | None
    seconds: int
    segment: Fraction
    wrapping: Wrapping
    epoch: int
    delete: bool


def parse(arguments: Sequence[str]) -> Options:
    """Read the command line; leaves with a usage message if it makes no sense."""
    parser = argparse.ArgumentParser(prog="python -m tams_demo", description=__doc__)
    parser.add_argument(
        "--url", type=_address, help="a TAMS store; without it, `tams dev` is started on a temporary directory"
    )
    parser.add_argument("--token", help="its bearer token; better given as TAMS_DEMO_TOKEN in the environment")
    parser.add_argument("--objects", help="where the store that is started keeps media, as in TAMS_OBJECTS_URL")
    parser.add_argument("--file", type=Path, help="a clip of your own, in any container that FFmpeg reads")
    parser.add_argument("--seconds", type=_positive, default=60, help="how much to make without a file [60]")
    parser.add_argument("--segment", type=_duration, default=Fraction(2), help="seconds in a segment [2]")
    parser.add_argument(
        "--container", choices=sorted(WRAPPINGS), default="ts", help="MPEG transport streams, or fragments of MP4 [ts]"
    )
    parser.add_argument("--epoch", type=_timestamp, help="where the time line begins, as SECONDS or S:NS [now, in TAI]")
    parser.add_argument("--delete", action="store_true", help="delete the flows at the end")
    given = parser.parse_args(arguments)
    now = (time.time_ns() // NANOSECONDS + TAI_AHEAD) * NANOSECONDS
    return Options(
        url=given.url or None,
        token=given.token or os.environ.get("TAMS_DEMO_TOKEN") or None,
        objects=given.objects or None,
        file=given.file,
        seconds=given.seconds,
        segment=given.segment,
        wrapping=WRAPPINGS[given.container],
        epoch=now if given.epoch is None else given.epoch,
        delete=given.delete,
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the demo; 0 if everything came back as it went in, 1 if not, 130 if interrupted."""
    options = parse(sys.argv[1:] if arguments is None else arguments)
    console = Console()
    report = Report(console)
    try:
        with tempfile.TemporaryDirectory(prefix="tams-demo-") as folder, report:
            if options.url is not None:
                asyncio.run(_look(Address(options.url, options.token)))
            recording = _record(options, Path(folder), report=report)
            asyncio.run(_tell(options, recording, folder=Path(folder), report=report))
    except (StoreError, Mismatch, UnusableClip) as error:
        console.print(Text.assemble(("The demo failed. ", "bold red"), str(error)), soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("Interrupted.")
        return _INTERRUPTED
    console.print(report.summary())
    console.print(Text("Everything came back as it went in.", "bold green"))
    return 0


async def _look(address: Address) -> None:
    """Whether the store lets the demo in, before media are made for it; raises `StoreError`."""
    async with Connection(address.url, address.token) as connection:
        await Store(connection).service()


def _record(options: Options, folder: Path, *, report: Report) -> Recording:
    if options.file is None:
        return make(folder, report=report, seconds=options.seconds, target=options.segment, wrapping=options.wrapping)
    return take(options.file, folder, report=report, target=options.segment, wrapping=options.wrapping)


async def _tell(options: Options, recording: Recording, *, folder: Path, report: Report) -> None:
    async with AsyncExitStack() as stack:
        if options.url is None:
            with report.step("start", "store of its own", total=1) as step:
                address = await stack.enter_async_context(running_store(folder / "store", objects=options.objects))
                step.advance()
        else:
            address = Address(options.url, options.token)
        store = Store(await stack.enter_async_context(Connection(address.url, address.token)))
        service = await store.service()
        report.say(f"TAMS {service.api_version} at {address.url}")
        story = Story(store, report, recording=recording, epoch=options.epoch, new_id=uuid4)
        for flow in story.flows:
            report.say(f"{flow.format.rpartition(':')[2]:>5} flow {flow.id}")
        try:
            await story.tell()
        except (StoreError, Mismatch):
            if options.delete:
                with suppress(StoreError):
                    await story.remove()
            raise
        if options.delete:
            await story.remove()


def _address(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"http://… or https://…, not {text!r}")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return number


def _duration(text: str) -> Fraction:
    try:
        seconds = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise argparse.ArgumentTypeError(f"seconds such as 2, 1.92 or 48/25, not {text!r}") from error
    if seconds <= 0:
        raise argparse.ArgumentTypeError("more than 0 seconds")
    return seconds


def _timestamp(text: str) -> int:
    try:
        return read_timestamp(text if ":" in text else f"{text}:0")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


if __name__ == "__main__":
    # A terminated demo cleans up like an interrupted one: no store is left running.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
