"""Where the bus's file is worked on: a thread that reads, one that writes, and the news that something was written."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Concatenate, Final, ParamSpec, TypeVar

import msgspec

from tams_common.bus.sqlite import log
from tams_common.bus.sqlite.file import Connection, Synchronous, prepare
from tams_common.clock import SECOND, Clock
from tams_common.errors import Unavailable

FILE_NAME: Final = "bus.sqlite"
P = ParamSpec("P")
T = TypeVar("T")


class Settings(msgspec.Struct, frozen=True):
    """How the embedded bus keeps time, in seconds.

    lease: for how long a member of a group that fell silent keeps its place; it is renewed three times as often.
    watch: how often the file is looked at for what other processes wrote.
    busy: how long to wait for other processes' transactions.
    """

    lease: float = 3.0
    watch: float = 0.05
    busy: float = 5.0


DEFAULTS: Final = Settings()


class _Threads:
    """An open file: its connections and their threads. Without a directory, in a temporary one that `close` removes."""

    def __init__(self, directory: Path | None, *, busy: float) -> None:
        with ExitStack() as stack:
            place = directory or Path(stack.enter_context(TemporaryDirectory(prefix="tams-bus-")))
            path = place / FILE_NAME
            prepare(path, busy_seconds=busy)

            def connect(synchronous: Synchronous) -> Connection:
                mode = synchronous if directory else "OFF"
                return stack.enter_context(closing(Connection(path, synchronous=mode, busy_seconds=busy)))

            self.durable, self.casual, self.reader = connect("FULL"), connect("NORMAL"), connect("NORMAL")
            self.writing = stack.enter_context(ThreadPoolExecutor(1, "tams-bus-write"))
            self.reading = stack.enter_context(ThreadPoolExecutor(1, "tams-bus-read"))
            self.close = stack.pop_all().close


class Desk:
    """Runs functions of a connection on the file in `directory`. All methods raise `Unavailable`, before `open`, too.

    Without a directory the file is private: not synced, and not watched for what other processes write. The leases of
    `members` are renewed.
    """

    def __init__(self, directory: Path | None, *, clock: Clock, settings: Settings) -> None:
        self._directory = directory
        self._threads: _Threads | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.clock = clock
        self.settings = settings
        self.members: set[log.Member] = set()
        self.news = asyncio.Event()

    async def open(self) -> None:
        """Creates what does not exist and connects."""
        self._threads = await asyncio.to_thread(_Threads, self._directory, busy=self.settings.busy)
        self._tasks.append(asyncio.create_task(self._keep_leases()))
        if self._directory is not None:
            self._tasks.append(asyncio.create_task(self._keep_watch()))

    async def close(self) -> None:
        """Finishes what runs and disconnects."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()
        threads, self._threads = self._threads, None
        if threads is not None:
            await asyncio.to_thread(threads.close)

    async def read(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn` on the reading thread."""
        threads = self._opened()
        return await _on(threads.reading, partial(fn, threads.reader, *args, **kwargs))

    async def append(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn` on the writing thread; what it commits is on the disk, and news, when this returns."""
        threads = self._opened()
        tell = partial(asyncio.get_running_loop().call_soon_threadsafe, self.announce)
        return await _on(threads.writing, partial(_then, tell, partial(fn, threads.durable, *args, **kwargs)))

    async def jot(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn` on the writing thread; a crash of the machine may forget what it commits."""
        threads = self._opened()
        return await _on(threads.writing, partial(fn, threads.casual, *args, **kwargs))

    def announce(self) -> None:
        """Wakes everyone who waits for `news`; a waiter takes hold of the event before it looks at the file."""
        self.news.set()
        self.news = asyncio.Event()

    def _opened(self) -> _Threads:
        if self._threads is None:
            raise Unavailable("the bus is not open")
        return self._threads

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self.settings.lease / 3)
            if self.members:
                until = self.clock() + int(self.settings.lease * SECOND)
                with suppress(Unavailable):
                    await self.jot(log.renew, list(self.members), until=until)

    async def _keep_watch(self) -> None:
        seen = -1
        while True:
            with suppress(Unavailable):
                version = await self.read(Connection.data_version)
                if version != seen:
                    seen = version
                    self.announce()
            await asyncio.sleep(self.settings.watch)


async def _on(pool: ThreadPoolExecutor, fn: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, fn)


def _then(tell: Callable[[], object], fn: Callable[[], T]) -> T:
    result = fn()
    tell()
    return result
