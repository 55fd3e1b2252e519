"""Opening an engine and serving it: for the command line, for asynchronous tests, and for tests that are not."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import Future
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from vast_emulator.engine import Engine, EngineOptions
from vast_emulator.server import Emulator, Settings


@dataclass(frozen=True)
class Database:
    """What is served: the folder that keeps it (None: nothing outlives the emulator), buckets that have to be there
    (the SDK cannot make any), and how the engine behaves."""

    data: Path | None = None
    buckets: Sequence[str] = ("vastdb",)
    options: EngineOptions | None = None

    def open(self) -> Engine:
        """The engine with its buckets; the caller closes it."""
        engine = Engine(self.data, self.options)
        for bucket in self.buckets:
            engine.create_bucket(bucket)
        return engine


@asynccontextmanager
async def serve(settings: Settings | None = None, database: Database | None = None) -> AsyncIterator[Emulator]:
    """An emulator that listens, with an engine of its own; both are closed in the end."""
    engine = await asyncio.to_thread((database or Database()).open)
    emulator = Emulator(engine, settings)
    try:
        await emulator.start()
        yield emulator
    finally:
        await emulator.stop()
        await asyncio.to_thread(engine.close)


@contextmanager
def running(settings: Settings | None = None, database: Database | None = None) -> Iterator[Emulator]:
    """The same with an event loop in a thread of its own, for code that blocks as the SDK does."""
    started: Future[Emulator] = Future()
    stop: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def main() -> None:
        async with serve(settings, database) as emulator:
            event = asyncio.Event()
            stop.append((asyncio.get_running_loop(), event))
            started.set_result(emulator)
            await event.wait()

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="vast-emulator")
    thread.start()
    try:
        yield started.result()
    finally:
        for loop, event in stop:
            loop.call_soon_threadsafe(event.set)
        thread.join()
