"""Deleting segments by range, and all segments of a deleted flow (SGD, ADR 0007), in batches that are each whole."""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from tams_common.clock import SECOND, Clock, later
from tams_common.events import segments_deleted
from tams_common.ids import FlowId, IdSource, Incarnation
from tams_common.model.facts import FlowFacts
from tams_common.outbox import stage
from tams_common.store import Query, Store, Tx, eq, ge, gt, le, lt
from tams_common.store.where import Condition
from tams_common.timerange import TimeRange
from tams_segments.heads import extent, fenced
from tams_segments.removal import Doomed, remove
from tams_segments.tables import HEADS, SEGMENTS, TOMBSTONES, Tombstone
from tams_segments.timeline import Span, covers, extend
from tams_segments.writing import subject_of

BATCH: Final = 1000
"""Rows in one transaction."""
BATCHES_PER_CALL: Final = 20
"""After so many batches of a deleted flow the caller is told to come again."""
TOMBSTONE_LIFE: Final = 3600 * SECOND
_COLUMNS: Final = ("start_ns", "end_ns", "end_inclusive", "object_id", "head_version")


class RangeDeletion(msgspec.Struct, frozen=True):
    """Which segments are to go: those that lie wholly in `timerange` (SGD-1), and use `object_id` where that is given.

    Only what version `up_to` of the head or an earlier one added goes: what comes after the request was accepted stays.
    """

    flow_id: FlowId
    facts: FlowFacts
    timerange: TimeRange
    object_id: str | None = None
    up_to: int = 0


class Step(msgspec.Struct, frozen=True):
    """How far a deletion is: everything up to `after` (ns) has been looked at; None when there is no more."""

    after: int | None
    removed: int


class Deleter:
    """Removes segments in batches of at most `BATCH`."""

    def __init__(self, store: Store, *, clock: Clock, new_id: IdSource) -> None:
        self._store = store
        self._clock = clock
        self._new_id = new_id

    async def delete_range(
        self, flow_id: FlowId, facts: FlowFacts, *, timerange: TimeRange, object_id: str | None
    ) -> int:
        """Removes segments of a flow, and returns how many."""
        head = await self._store.read(lambda tx: tx.get(HEADS, (flow_id,)), bounded=True)
        if head is None or head.incarnation != facts.incarnation or head.deleting or timerange.is_empty:
            return 0
        job = RangeDeletion(flow_id, facts, timerange, object_id, head.version)
        step = Step(None, 0)
        total = 0
        while True:
            step = await self.step(job, step.after)
            total += step.removed
            if step.after is None:
                return total

    async def step(self, job: RangeDeletion, after: int | None) -> Step:
        """One batch of a deletion, beginning behind `after` (ns)."""
        return await self._store.run(lambda tx: self._remove_range(tx, job, after=after))

    def _remove_range(self, tx: Tx, job: RangeDeletion, *, after: int | None) -> Step:
        head = tx.get(HEADS, (job.flow_id,))
        if head is None or head.deleting or head.incarnation != job.facts.incarnation:
            return Step(None, 0)
        page = tx.select(SEGMENTS, _COLUMNS, query=_query(job, after))
        runs = Runs(page.rows, job)
        if runs.doomed:
            now = self._clock()
            at = later(now, head.event_at)
            left = remove(tx, head, doomed=runs.doomed, now=now, event_at=at + len(runs.spans) - 1)
            subject = subject_of(job.flow_id, job.facts, extent=extent(left))
            drafts = [segments_deleted(str(run.timerange()), subject) for run in runs.spans]
            stage(tx, drafts, at=at, new_id=self._new_id)
        return Step(runs.last if page.more else None, len(runs.doomed))

    async def delete_flow(self, flow_id: FlowId, incarnation: Incarnation) -> bool:
        """Fences the flow for ever and removes its segments; whether nothing is left. To be called until it is so."""
        for _ in range(BATCHES_PER_CALL):
            if await self._store.run(lambda tx: self._remove_flow(tx, flow_id, incarnation=incarnation)):
                return True
        return False

    def _remove_flow(self, tx: Tx, flow_id: FlowId, *, incarnation: Incarnation) -> bool:
        stored = tx.get(HEADS, (flow_id,))
        head = fenced(stored, flow_id, incarnation=incarnation)
        if head is None:
            return True
        rows: list[Any] = tx.select(SEGMENTS, _COLUMNS, query=Query((eq("flow_id", flow_id),), limit=BATCH)).rows
        now = self._clock()
        if rows:
            head = remove(tx, head, doomed=[_doomed(row) for row in rows], now=now, event_at=head.event_at)
        elif stored is None:
            tx.insert(HEADS, [head])
        elif stored != head:
            tx.update(HEADS, [head])
        if head.count == 0 and head != stored:
            tx.insert(TOMBSTONES, [Tombstone(now + TOMBSTONE_LIFE, flow_id, incarnation)])
        return head.count == 0


class Runs:
    """Which rows of a batch go, and the spans to tell about: each begins and ends in a segment that went (EVT-6, T-71).

    A run holds no segment that stays. With an `object_id` only the object's own segments are seen, so that a run then
    ends at a gap in time, where a segment of another object may be.
    """

    def __init__(self, rows: Iterable[tuple[Any, ...]], job: RangeDeletion) -> None:
        self.doomed: list[Doomed] = []
        self.spans: list[Span] = []
        self.last: int | None = None
        self._joined = False
        self._sees_all = job.object_id is None
        for row in rows:
            self.last = row[0]
            segment = _doomed(row)
            if row[4] <= job.up_to and covers(job.timerange, segment.span):
                self._add(segment)
            else:
                self._joined = False

    def _add(self, segment: Doomed) -> None:
        self.doomed.append(segment)
        if self._joined and (self._sees_all or self.spans[-1].end == segment.span.start):
            self.spans[-1] = extend(self.spans[-1], segment.span)
        else:
            self.spans.append(segment.span)
        self._joined = True


def _query(job: RangeDeletion, after: int | None) -> Query:
    """Every segment that starts in the range: only the last of them can reach beyond its end."""
    wanted = job.timerange
    where: list[Condition] = [eq("flow_id", job.flow_id)]
    if job.object_id is not None:
        where.append(eq("object_id", job.object_id))
    if wanted.start is not None:
        where.append((ge if wanted.includes_start else gt)("start_ns", wanted.start))
    if wanted.end is not None:
        where.append((le if wanted.includes_end else lt)("start_ns", wanted.end))
    return Query(tuple(where), after=None if after is None else (job.flow_id, after), limit=BATCH)


def _doomed(row: Sequence[Any]) -> Doomed:
    return Doomed(Span(row[0], row[1], bool(row[2])), row[3])
