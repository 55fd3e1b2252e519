"""All writes of a store on one thread, which puts the functions that wait into one commit (group commit)."""

import asyncio
import contextlib
import queue
import threading
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from tams_common.store.port import Tx

T = TypeVar("T")
S = TypeVar("S")

Function: TypeAlias = Callable[[Tx], Any]
"""What `Store.run` takes."""

_TOGETHER: Final = 64
"""The most functions in one commit."""


class Outcome(msgspec.Struct, frozen=True):
    """What became of a function."""

    result: Any = None
    error: BaseException | None = None


def outcome_of(work: Callable[[], Any]) -> Outcome:
    """Does `work`; what it raises is to be raised where it was submitted."""
    try:
        return Outcome(work())
    except StopIteration as error:
        # A future refuses to carry this one.
        stopped = RuntimeError("the function raised StopIteration")
        stopped.__cause__ = error
        return Outcome(error=stopped)
    except BaseException as error:  # noqa: BLE001 -- see above
        return Outcome(error=error)


def deliver(
    loop: asyncio.AbstractEventLoop, answers: Sequence["asyncio.Future[Any]"], *, outcomes: Sequence[Outcome]
) -> None:
    """Gives the outcomes to those who wait for them; called on any thread."""
    # Once the loop is closed nobody waits.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(_settle, answers, outcomes)


class _Job(msgspec.Struct, frozen=True):
    fn: Function
    answer: "asyncio.Future[Any]"


class _Alone(msgspec.Struct, Generic[S], frozen=True):
    """Work that begins transactions of its own, such as a migration."""

    fn: Callable[[S], Any]
    answer: "asyncio.Future[Any]"


class GroupCommit(ABC, Generic[S]):
    """Runs functions in the order of arrival; one is done when the commit that carries it is durable.

    An adapter says how functions are committed on its `session`, which only the thread uses.
    """

    def __init__(self, name: str, session: S) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Sequence[_Job | _Alone[S] | None]] = queue.SimpleQueue()
        self._arrived: list[_Job] = []
        self._thread = threading.Thread(target=self._serve, name=f"store-{name}", daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[[Tx], T]) -> "asyncio.Future[T]":
        """Has `fn` run. Those that are submitted within one turn of the event loop arrive together."""
        answer: asyncio.Future[T] = self._loop.create_future()
        if not self._arrived:
            self._loop.call_soon(self._hand_over)
        self._arrived.append(_Job(fn, answer))
        return answer

    def submit_alone(self, fn: Callable[[S], T]) -> "asyncio.Future[T]":
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
        self._disconnect()

    @abstractmethod
    def _commit(self, functions: Sequence[Function]) -> list[Outcome]:
        """Runs and commits `functions`, of which one that fails does no harm to the others."""

    @abstractmethod
    def _rest(self) -> None:
        """What is to be done between two commits."""

    @abstractmethod
    def _disconnect(self) -> None:
        """Closes the session; the thread has ended."""

    def _hand_over(self) -> None:
        if self._arrived:
            self._queue.put(self._arrived)
            self._arrived = []

    def _serve(self) -> None:
        waiting: deque[_Job | _Alone[S] | None] = deque()
        while True:
            if not waiting:
                waiting.extend(self._queue.get())
            while not self._queue.empty():
                waiting.extend(self._queue.get())
            work = waiting.popleft()
            if work is None:
                return
            if isinstance(work, _Alone):
                deliver(self._loop, [work.answer], outcomes=[outcome_of(partial(work.fn, self._session))])
                continue
            batch = [work]
            while waiting and len(batch) < _TOGETHER and isinstance(following := waiting[0], _Job):
                batch.append(following)
                waiting.popleft()
            self._run([job for job in batch if not job.answer.cancelled()])

    def _run(self, jobs: Sequence[_Job]) -> None:
        if not jobs:
            return
        try:
            outcomes = self._commit([job.fn for job in jobs])
        except BaseException as error:  # noqa: BLE001 -- a mistake of ours is raised where the functions were submitted
            outcomes = [Outcome(error=error) for _ in jobs]
        deliver(self._loop, [job.answer for job in jobs], outcomes=outcomes)
        self._rest()


def _settle(answers: Sequence["asyncio.Future[Any]"], outcomes: Sequence[Outcome]) -> None:
    for answer, outcome in zip(answers, outcomes, strict=True):
        if answer.done():
            continue
        if outcome.error is None:
            answer.set_result(outcome.result)
        else:
            answer.set_exception(outcome.error)
