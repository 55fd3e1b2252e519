"""The reads of a store: those that wait together share a transaction, in threads beside the event loop."""

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final, Generic, TypeVar

import msgspec

from tams_common.store.group_commit import deliver, outcome_of
from tams_common.store.port import Reader
from tams_common.store.vast.cohort import Cohort
from tams_common.store.vast.database import Database
from tams_common.store.vast.session import Session, end

T = TypeVar("T")

_LINKS: Final = 4
"""The most transactions that read at once, each on a connection of its own."""
_TOGETHER: Final = 16
"""The most reads in one transaction."""
_PATIENCE: Final = 0.02
"""Seconds that a read waits for the transaction before its own to end; then it takes a further connection."""


class _Job(msgspec.Struct, Generic[T], frozen=True):
    fn: Callable[[Reader], T]
    answer: "asyncio.Future[T]"


class Readers:
    """Reads that arrive while one is under way join the next transaction, none that has begun."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._idle = [database.session() for _ in range(_LINKS)]
        self._threads = ThreadPoolExecutor(_LINKS * _TOGETHER, thread_name_prefix=f"store-{database.name}-reader")
        self._waiting: list[_Job[Any]] = []
        self._due: asyncio.Handle | None = None
        self._ended = asyncio.Event()

    def submit(self, fn: Callable[[Reader], T]) -> "asyncio.Future[T]":
        """Has `fn` run on one snapshot that begins after this."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self._waiting.append(_Job(fn, answer))
        self._arrange()
        return answer

    async def close(self) -> None:
        """Finishes what was submitted, then disconnects."""
        while self._waiting or len(self._idle) < _LINKS:
            self._ended.clear()
            await self._ended.wait()
        await asyncio.to_thread(self._threads.shutdown)
        for session in self._idle:
            session.link.close()

    def _arrange(self) -> None:
        """Reads of one turn of the loop arrive together; a link that becomes free takes all that wait."""
        if self._due is not None or not self._waiting or not self._idle:
            return
        if len(self._idle) == _LINKS:
            self._due = self._loop.call_soon(self._start)
        else:
            self._due = self._loop.call_later(_PATIENCE, self._start)

    def _start(self) -> None:
        self._due = None
        if not self._idle:
            return
        jobs = [job for job in self._waiting[:_TOGETHER] if not job.answer.cancelled()]
        del self._waiting[:_TOGETHER]
        if jobs:
            session = self._idle.pop()
            cohort = Cohort(session, self._database.layouts, members=len(jobs))
            for job in jobs:
                self._threads.submit(self._read, job, cohort=cohort, session=session)
        self._arrange()

    def _read(self, job: _Job[Any], *, cohort: Cohort, session: Session) -> None:
        """On a thread of the pool."""
        deliver(self._loop, [job.answer], outcomes=[outcome_of(partial(job.fn, cohort.reader))])
        if cohort.leave():
            end(session)
            # Once the loop is closed nobody waits.
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._return, session)

    def _return(self, session: Session) -> None:
        self._idle.append(session)
        self._ended.set()
        if self._due is not None:
            self._due.cancel()
            self._due = None
        if self._waiting:
            self._start()
