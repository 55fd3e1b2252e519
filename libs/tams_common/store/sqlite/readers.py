"""The reading connections of a store: one on the event loop's thread, some in a pool of threads."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, TypeVar

from tams_common.store.snapshot import Snapshot
from tams_common.store.sqlite.database import BUSY_SECONDS, Database
from tams_common.store.sqlite.session import Session

T = TypeVar("T")

_THREADS: Final = 3


class Readers:
    """`near` reads at once and never waits for a lock; `far` waits, in a thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._near = self._session(busy_seconds=0)
        self._idle: list[Session] = []
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix=f"store-{database.name}-reader")

    def near(self, fn: Callable[[Snapshot], T]) -> T:
        """Reads on the calling thread; raises `Busy` where `far` would wait."""
        return self._near.read(fn)

    async def far(self, fn: Callable[[Session], T]) -> T:
        """Runs `fn` with a session of its own in a thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, self._lend, fn)

    async def close(self) -> None:
        """Finishes what runs, then disconnects."""
        await asyncio.to_thread(self._pool.shutdown)
        for session in (self._near, *self._idle):
            session.connection.close()

    def _lend(self, fn: Callable[[Session], T]) -> T:
        session = self._idle.pop() if self._idle else self._session(BUSY_SECONDS)
        try:
            return fn(session)
        finally:
            self._idle.append(session)

    def _session(self, busy_seconds: float) -> Session:
        return Session(self._database, self._database.connect_reader(busy_seconds))
