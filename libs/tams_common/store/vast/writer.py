"""All writes of a store: one thread, which puts the functions that wait into one commit (group commit)."""

import asyncio
import contextlib
import queue
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from tams_common.store.port import Tx
from tams_common.store.vast.database import Database
from tams_common.store.vast.lanes import Lanes
from tams_common.store.vast.session import Session
from tams_common.store.vast.transactions import Outcome, Transactions

T = TypeVar("T")

_TOGETHER: Final = 64
"""The most functions in one commit."""


class _Job(msgspec.Struct, Generic[T], frozen=True):
    fn: Callable[[Tx], T]
    answer: "asyncio.Future[T]"


class _Alone(msgspec.Struct, Generic[T], frozen=True):
    """Work that begins transactions of its own, such as a migration."""

    fn: Callable[[Session], T]
    answer: "asyncio.Future[T]"


_Work: TypeAlias = _Job[Any] | _Alone[Any] | None


class Writer:
    """Runs functions in the order of arrival; a function is done when the commit that carries it is durable."""

    def __init__(self, database: Database, *, patience: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Sequence[_Work]] = queue.SimpleQueue()
        self._arrived: list[_Job[Any]] = []
        self._session = database.session()
        self._lanes = Lanes(f"store-{database.name}")
        self._transactions = Transactions(self._session, database.layouts, lanes=self._lanes, patience=patience)
        self._thread = threading.Thread(target=self._serve, name=f"store-{database.name}", daemon=True)
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
        self._lanes.close()
        self._session.link.close()

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
                self._send([work.answer], [_outcome(work, self._session)])
                continue
            batch = [work]
            while waiting and len(batch) < _TOGETHER and isinstance(following := waiting[0], _Job):
                batch.append(following)
                waiting.popleft()
            self._commit([job for job in batch if not job.answer.cancelled()])

    def _commit(self, jobs: Sequence[_Job[Any]]) -> None:
        if not jobs:
            return
        try:
            outcomes = self._transactions.run([job.fn for job in jobs])
        except BaseException as error:  # noqa: BLE001 -- a mistake of ours is raised where the functions were submitted
            outcomes = [Outcome(error=error) for _ in jobs]
        self._send([job.answer for job in jobs], outcomes)
        self._transactions.prune()

    def _send(self, answers: Sequence["asyncio.Future[Any]"], outcomes: Sequence[Outcome]) -> None:
        # Once the loop is closed nobody waits for the outcomes.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(_deliver, answers, outcomes)


def _outcome(work: _Alone[Any], session: Session) -> Outcome:
    try:
        return Outcome(work.fn(session))
    except BaseException as error:  # noqa: BLE001 -- it is raised where the function was submitted
        return Outcome(error=error)


def _deliver(answers: Sequence["asyncio.Future[Any]"], outcomes: Sequence[Outcome]) -> None:
    for answer, outcome in zip(answers, outcomes, strict=True):
        if answer.done():
            continue
        if outcome.error is None:
            answer.set_result(outcome.result)
        else:
            answer.set_exception(outcome.error)
