"""All writes of a store: one thread, which puts the functions that wait into one commit (group commit)."""

import asyncio
import contextlib
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from tams_common.errors import Unavailable
from tams_common.store.overlay import Remembering
from tams_common.store.port import Tx
from tams_common.store.sqlite.database import Database
from tams_common.store.sqlite.session import Session
from tams_common.store.sqlite.sharing import Sharing
from tams_common.store.transaction import SharedCommit

T = TypeVar("T")

_TOGETHER: Final = 64
"""The most functions in one commit."""
_YIELD_SECONDS: Final = 0.002
"""What a writer leaves to others after a commit, while others share the file (architecture 7)."""


class _Job(msgspec.Struct, Generic[T], frozen=True):
    fn: Callable[[Tx], T]
    answer: "asyncio.Future[T]"


class _Alone(msgspec.Struct, Generic[T], frozen=True):
    """Work that begins transactions of its own, such as a migration."""

    fn: Callable[[Session], T]
    answer: "asyncio.Future[T]"


class _Outcome(msgspec.Struct, frozen=True):
    answer: "asyncio.Future[Any]"
    result: Any = None
    error: BaseException | None = None


_Work: TypeAlias = _Job[Any] | _Alone[Any] | None


class Writer:
    """Runs functions in the order of arrival; a function is done when the commit that carries it is durable."""

    def __init__(self, database: Database, sharing: Sharing | None) -> None:
        self._database = database
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Sequence[_Work]] = queue.SimpleQueue()
        self._arrived: list[_Job[Any]] = []
        self._thread = threading.Thread(target=self._serve, name=f"store-{database.name}", daemon=True)
        self._session = Session(database, database.connect_writer())
        self._sharing = sharing
        self._thread.start()

    def submit(self, fn: Callable[[Tx], T]) -> "asyncio.Future[T]":
        """Has `fn` run. Those that are submitted within one turn of the event loop arrive together."""
        answer: asyncio.Future[T] = self._loop.create_future()
        if not self._arrived:
            self._loop.call_soon(self._hand_over)
        self._arrived.append(_Job(fn, answer))
        return answer

    def submit_alone(self, fn: Callable[[Session], T]) -> "asyncio.Future[T]":
        """Has `fn` run outside any transaction, on the writing session."""
        answer: asyncio.Future[T] = self._loop.create_future()
        self._hand_over()
        self._queue.put((_Alone(fn, answer),))
        return answer

    async def close(self) -> None:
        """Finishes what was submitted, then disconnects."""
        self._hand_over()
        self._queue.put((None,))
        await asyncio.to_thread(self._thread.join)
        self._session.connection.close()

    def _hand_over(self) -> None:
        if self._arrived:
            self._queue.put(self._arrived)
            self._arrived = []

    def _serve(self) -> None:
        waiting: deque[_Work] = deque()
        while True:
            if not waiting:
                waiting.extend(self._queue.get())
            while not self._queue.empty():
                waiting.extend(self._queue.get())
            work = waiting.popleft()
            if work is None:
                return
            if isinstance(work, _Alone):
                self._send([_outcome(work.answer, partial(work.fn, self._session))])
                continue
            batch = [work]
            while waiting and len(batch) < _TOGETHER and isinstance(following := waiting[0], _Job):
                batch.append(following)
                waiting.popleft()
            self._commit([job for job in batch if not job.answer.cancelled()])

    def _commit(self, jobs: Sequence[_Job[Any]]) -> None:
        """One commit for all; if its flush is refused, it is not known by whose fault, and each gets its own."""
        try:
            outcomes = self._together(jobs)
        except Unavailable as error:
            outcomes = [_Outcome(job.answer, error=Unavailable(error.detail)) for job in jobs]
        except Exception as error:  # noqa: BLE001 -- it is raised where the function was submitted
            outcomes = [_Outcome(jobs[0].answer, error=error)] if len(jobs) == 1 else []
        if not outcomes:
            for job in jobs:
                self._commit([job])
            return
        self._send(outcomes)
        if self._sharing is not None and self._sharing.shared():
            time.sleep(_YIELD_SECONDS)

    def _together(self, jobs: Sequence[_Job[Any]]) -> list[_Outcome]:
        if not jobs:
            return []
        session = self._session
        session.execute("BEGIN IMMEDIATE")
        try:
            commit = SharedCommit(self._database.layouts, Remembering(session))
            outcomes = [_outcome(job.answer, partial(commit.run, job.fn)) for job in jobs]
            changes = commit.changes()
            if changes and not session.connection.in_transaction:
                raise Unavailable(f"the tables of {self._database.name} gave up the transaction")
            if changes:
                session.flush(changes)
                session.execute("COMMIT")
        finally:
            session.roll_back()
        return outcomes

    def _send(self, outcomes: Sequence[_Outcome]) -> None:
        # Once the loop is closed nobody waits for the outcomes.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_deliver, outcomes)


def _outcome(answer: "asyncio.Future[T]", work: Callable[[], T]) -> _Outcome:
    try:
        return _Outcome(answer, result=work())
    except StopIteration as error:
        # A future refuses to carry this one.
        stopped = RuntimeError("the function raised StopIteration")
        stopped.__cause__ = error
        return _Outcome(answer, error=stopped)
    except BaseException as error:  # noqa: BLE001 -- it is raised where the function was submitted
        return _Outcome(answer, error=error)


def _deliver(outcomes: Sequence[_Outcome]) -> None:
    for outcome in outcomes:
        if outcome.answer.done():
            continue
        if outcome.error is None:
            outcome.answer.set_result(outcome.result)
        else:
            outcome.answer.set_exception(outcome.error)
