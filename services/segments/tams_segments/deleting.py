"""Deleting while the client waits for it; what is left when the budget is used up the worker does (SGD, ADR 0007)."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Protocol, TypeVar

import msgspec

from tams_common.store import Store
from tams_segments.deletion_requests import Tools
from tams_segments.ranges import RangeBatch, RangeDeletion, accept_range, remove_range
from tams_segments.tables import HEADS, DeletionRow
from tams_segments.whole_flows import FlowBatch, FlowDeletion, accept_flow, remove_flow


class Pace(msgspec.Struct, frozen=True):
    """How a long deletion leaves room for others; times in seconds.

    budget: how long a DELETE goes on before it is answered 202.
    interval: between looks for deletions that nobody told of.
    spare: how many times as long as a batch took, which is longer while others are busy, the worker rests after it, so
    that readers meet it rarely; while a client waits no longer than the batch took. linger: the longest rest.
    """

    budget: float = 5.0
    interval: float = 1.0
    spare: float = 4.0
    linger: float = 0.1

    async def rest(self, took: float) -> None:
        """Rests after a batch that took so many seconds."""
        await asyncio.sleep(min(self.spare * took, self.linger))

    @property
    def waited_for(self) -> "Pace":
        """The pace while a client waits."""
        return msgspec.structs.replace(self, spare=min(self.spare, 1.0))


class Outcome(msgspec.Struct, frozen=True):
    """What a DELETE of a range did: `request` is what it left to be done, None for nothing."""

    removed: int = 0
    request: DeletionRow | None = None


class _Batch(Protocol):
    @property
    def is_last(self) -> bool: ...


B = TypeVar("B", bound=_Batch)


class Deleter:
    """Removes segments batch by batch, as long as the budget lasts."""

    def __init__(self, store: Store, *, tools: Tools, pace: Pace) -> None:
        self._store = store
        self._tools = tools
        self._pace = pace.waited_for

    async def delete_range(self, asked: RangeDeletion) -> Outcome:
        """Removes segments of a flow; raises `Unavailable` when too many deletions of the flow are open."""
        head = await self._store.read(lambda tx: tx.get(HEADS, (asked.flow_id,)), bounded=True)
        if head is None or asked.timerange.is_empty:
            return Outcome()
        job = msgspec.structs.replace(asked, up_to=head.version)
        removed = 0

        async def batch(before: RangeBatch | None) -> RangeBatch:
            nonlocal removed
            after = None if before is None else before.reached
            done = await self._store.run(lambda tx: remove_range(tx, job, after=after, tools=self._tools))
            removed += done.removed
            return done

        left = await self._within_budget(batch)
        if left.is_last:
            return Outcome(removed)
        request = await self._store.run(lambda tx: accept_range(tx, job, after=left.reached, tools=self._tools))
        return Outcome(removed, request)

    async def delete_flow(self, job: FlowDeletion) -> DeletionRow | None:
        """Fences a flow for ever and removes its segments; None when nothing is left, until then what is to be done.

        Asked again while the worker is at it, it only tells how far that is.
        """
        whole = "()"

        async def batch(before: FlowBatch | None) -> FlowBatch:
            nonlocal whole
            done = await self._store.run(lambda tx: remove_flow(tx, job, tools=self._tools))
            whole = done.extent if before is None else whole
            return done

        left = await self._within_budget(batch)
        if left.is_last:
            return left.request
        return await self._store.run(lambda tx: accept_flow(tx, job, whole=whole, tools=self._tools))

    async def _within_budget(self, batch: Callable[[B | None], Awaitable[B]]) -> B:
        """Does batches until the last one, or until the budget is used up; returns the latest."""
        started = began = time.monotonic()
        done = await batch(None)
        while not done.is_last and time.monotonic() - started < self._pace.budget:
            await self._pace.rest(time.monotonic() - began)
            began = time.monotonic()
            done = await batch(done)
        return done
