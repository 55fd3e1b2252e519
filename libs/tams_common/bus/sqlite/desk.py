"""Where the bus's file is worked on: a thread that reads, one that writes, and the news of what was written."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Concatenate, Final, ParamSpec, Protocol, TypeVar

import msgspec

from tams_common.bus.port import Message, Record
from tams_common.bus.sqlite import log
from tams_common.bus.sqlite.file import Connection, prepare
from tams_common.clock import SECOND, Clock
from tams_common.errors import Unavailable
from tams_common.events import Topic

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


class Hearer(Protocol):
    """Who is told of news."""

    def hear(self, records: Sequence[Record] | None) -> None:
        """These were written; None when something else may be found that was not there before."""
        ...


class _Threads:
    """An open file: its connections and their threads. Without a directory, in a temporary one that `close` removes."""

    def __init__(self, directory: Path | None, *, busy: float) -> None:
        with ExitStack() as stack:
            place = directory or Path(stack.enter_context(TemporaryDirectory(prefix="tams-bus-")))
            path = place / FILE_NAME
            prepare(path, busy_seconds=busy)

            def connect() -> Connection:
                made = Connection(path, durable=directory is not None, busy_seconds=busy)
                return stack.enter_context(closing(made))

            self.writer, self.reader = connect(), connect()
            log.leave_gap(self.writer)
            self.writer.sync()
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
        self.members: dict[log.Member, Hearer] = {}

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

    async def jot(self, fn: Callable[Concatenate[Connection, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Runs `fn` on the writing thread; a crash of the machine may forget what it commits."""
        threads = self._opened()
        return await _on(threads.writing, partial(fn, threads.writer, *args, **kwargs))

    async def create(self, topics: Sequence[Topic]) -> None:
        """Adds the topics that do not exist; they are on the disk when this returns."""
        await self.jot(log.create_topics, topics)
        await self.jot(Connection.sync)

    async def append(self, messages: Sequence[Message]) -> None:
        """Appends messages. Consumers have them at once, the caller's return when they are on the disk: what a crash of
        the machine takes in between, the caller still has, and it comes again (ADR 0016)."""
        threads = self._opened()
        tell = partial(asyncio.get_running_loop().call_soon_threadsafe, self.announce)

        def write() -> None:
            tell(log.append(threads.writer, messages, at=self.clock()))
            threads.writer.sync()

        await _on(threads.writing, write)

    def announce(self, records: Sequence[Record] | None = None) -> None:
        """Tells every member of news."""
        for hearer in self.members.values():
            hearer.hear(records)

    def _opened(self) -> _Threads:
        if self._threads is None:
            raise Unavailable("the bus is not open")
        return self._threads

    async def _keep_leases(self) -> None:
        while True:
            await asyncio.sleep(self.settings.lease / 3)
            if self.members:
                until = self.clock() + int(self.settings.lease * SECOND)
                try:
                    await self.jot(log.renew, list(self.members), until=until)
                except Unavailable:
                    # Members have to find out.
                    self.announce()

    async def _keep_watch(self) -> None:
        """Looks for what other processes have written: the writer's own commits do not change its number."""
        seen = -1
        while True:
            with suppress(Unavailable):
                version = await self.jot(Connection.data_version)
                if version != seen:
                    seen = version
                    self.announce()
            await asyncio.sleep(self.settings.watch)


async def _on(pool: ThreadPoolExecutor, fn: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, fn)
