"""All writes of a store on one thread, which puts the functions that wait into one commit (group commit)."""

import asyncio
import contextlib
import queue
import random
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, Generic, TypeAlias, TypeVar

import msgspec

from tams_common.errors import Conflict, Unavailable
from tams_common.store.port import Tx

T = TypeVar("T")
S = TypeVar("S")

Function: TypeAlias = Callable[[Tx], Any]
"""What `Store.run` takes."""

_TOGETHER: Final = 64
"""The most functions in one commit."""
_ATTEMPTS: Final = 15
"""How often a function that loses to another transaction is run before its caller is told."""
_FIRST_PAUSE: Final = 0.01
_LONGEST_PAUSE: Final = 0.5
"""Seconds, at most, between two such runs: at first, and after many losses."""


class Collided(Conflict):
    """Another transaction writes the same row, or has written it since this one began: a rerun may succeed."""


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
    """A function, how often it has lost, and when (monotonic seconds) it may be run again."""

    fn: Function
    answer: "asyncio.Future[Any]"
    losses: int = 0
    due: float = 0.0

    def lost(self) -> "_Job | None":
        """The job after one more loss; None when that was its last chance."""
        losses = self.losses + 1
        if losses == _ATTEMPTS:
            return None
        longest = min(_FIRST_PAUSE * 2**losses, _LONGEST_PAUSE)
        pause = random.uniform(0, longest)  # noqa: S311 -- only spreads the repeats
        return _Job(self.fn, self.answer, losses, time.monotonic() + pause)


class _Alone(msgspec.Struct, Generic[S], frozen=True):
    """Work that begins transactions of its own, such as a migration."""

    fn: Callable[[S], Any]
    answer: "asyncio.Future[Any]"


class GroupCommit(ABC, Generic[S]):
    """Runs functions in the order of arrival; one is done when the commit that carries it is durable.

    A function that loses a row to another transaction steps back for a while, and whoever waits is served before each
    of its further runs. An adapter says how functions are committed on its `session`, which only the thread uses.
    """

    def __init__(self, name: str, session: S) -> None:
        self._session = session
        self._loop = asyncio.get_running_loop()
        self._queue: queue.SimpleQueue[Sequence[_Job | _Alone[S] | None]] = queue.SimpleQueue()
        self._arrived: list[_Job] = []
        self._losers: list[_Job] = []
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
        """Runs and commits `functions`, of which one that fails does no harm to the others.

        Raises `Unavailable` for all of them, `Collided` when another transaction was faster, and anything else when
        what they wrote is refused; nothing is kept then.
        """

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
        closing = False
        while not closing or waiting or self._losers:
            self._receive(waiting)
            self._rerun()
            if not waiting:
                continue
            work = waiting.popleft()
            if work is None:
                closing = True
            elif isinstance(work, _Alone):
                deliver(self._loop, [work.answer], outcomes=[outcome_of(partial(work.fn, self._session))])
            else:
                batch = [work]
                while waiting and len(batch) < _TOGETHER and isinstance(following := waiting[0], _Job):
                    batch.append(following)
                    waiting.popleft()
                self._run(batch)

    def _receive(self, waiting: deque[_Job | _Alone[S] | None]) -> None:
        """Takes what has arrived; waits for it if there is nothing else to do yet."""
        with contextlib.suppress(queue.Empty):
            if not waiting:
                waiting.extend(self._queue.get(timeout=self._leisure()))
            while True:
                waiting.extend(self._queue.get_nowait())

    def _leisure(self) -> float | None:
        """Seconds until one that has lost is due; None when there is none."""
        if not self._losers:
            return None
        return max(0.0, min(job.due for job in self._losers) - time.monotonic())

    def _rerun(self) -> None:
        """Runs the one that has lost and is due for the longest time: alone, as it may lose again."""
        job = min(self._losers, key=lambda job: job.due, default=None)
        if job is not None and job.due <= time.monotonic():
            self._losers.remove(job)
            self._run([job])

    def _run(self, batch: Sequence[_Job]) -> None:
        """One commit for all. If it is refused, it is not known by whose fault: each half gets its own."""
        jobs = [job for job in batch if not job.answer.cancelled()]
        if not jobs:
            return
        try:
            outcomes = self._commit([job.fn for job in jobs])
        except Unavailable as error:
            outcomes = [Outcome(error=_copy(error)) for _ in jobs]
        except BaseException as error:  # noqa: BLE001 -- a mistake of ours is raised where the function was submitted
            if len(jobs) > 1:
                middle = len(jobs) // 2
                self._run(jobs[:middle])
                self._run(jobs[middle:])
                return
            again = jobs[0].lost() if isinstance(error, Collided) else None
            if again is not None:
                self._losers.append(again)
                return
            outcomes = [Outcome(error=error)]
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


def _copy(error: Unavailable) -> Unavailable:
    """An error of its own for each caller: a traceback is added to it where it is raised."""
    copy = type(error)(error.detail)
    copy.__cause__ = error
    return copy
