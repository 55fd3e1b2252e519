"""Removing a range of a flow, batch by batch: while the client waits, when it is accepted, and by the worker (SGD).

What is written to the range meanwhile stays: only segments that the head's version at the time, or an earlier one, had
added are removed (ADR 0007).
"""

from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec.structs import replace

from tams_common.clock import later
from tams_common.errors import Unavailable
from tams_common.ids import FlowId
from tams_common.model.facts import FlowFacts
from tams_common.outbox import stage
from tams_common.store import Tx, le
from tams_common.timerange import MAX_NS, MIN_NS, TimeRange
from tams_segments.deletion_requests import OPEN, Tools, finish, progress
from tams_segments.heads import advanced
from tams_segments.hiding import MOST_OPEN, Hidden, hidden_by, hiding
from tams_segments.removal import remove
from tams_segments.repository import SPAN, edges, span_of_cells
from tams_segments.runs import COLUMNS, Runs
from tams_segments.tables import DELETION_REQUESTS, HEADS, SEGMENTS, DeletionRow, Head
from tams_segments.telling import deleted
from tams_segments.timeline import covers
from tams_segments.visible import Look, query_of, visible

_RETRY: Final = 5
"""Seconds after which a flow with many open deletions may have room for another one."""
_facts: Final = msgspec.json.Decoder(FlowFacts)


class RangeDeletion(msgspec.Struct, frozen=True, kw_only=True):
    """Which segments are to go: those that lie wholly in `timerange` (SGD-1), and use `object_id` where that is given.

    Only what version `up_to` of the head or an earlier one added goes.
    """

    flow_id: FlowId
    facts: FlowFacts
    timerange: TimeRange
    object_id: str | None = None
    created_by: str | None = None
    up_to: int = 0

    @property
    def low(self) -> int:
        """The first moment (ns) at which a segment may start."""
        start = self.timerange.start
        return MIN_NS if start is None else start + (not self.timerange.includes_start)

    @property
    def high(self) -> int:
        """The last moment (ns) at which one may start."""
        end = self.timerange.end
        return MAX_NS if end is None else end - (not self.timerange.includes_end)


class RangeBatch(msgspec.Struct, frozen=True):
    """How far a deletion is: every segment that starts up to `reached` (ns) has been looked at; None for all."""

    reached: int | None
    removed: int = 0

    @property
    def is_last(self) -> bool:
        """Whether nothing is left to do."""
        return self.reached is None


def remove_range(tx: Tx, job: RangeDeletion, *, after: int | None, tools: Tools) -> RangeBatch:
    """One batch, behind what starts at `after` (ns)."""
    head = _living(tx, job)
    low = job.low if after is None else after + 1
    if head is None or low > job.high:
        return RangeBatch(None)
    look = Look(low=low, high=job.high, object_id=job.object_id, limit=tools.batch)
    page = tx.select(SEGMENTS, COLUMNS, query=query_of(job.flow_id, look))
    runs = Runs(
        page.rows,
        lambda segment, version: version <= job.up_to and covers(job.timerange, segment.span),
        sees_all=job.object_id is None,
    )
    if runs.doomed:
        head = _remove(tx, head, runs=runs, facts=job.facts, tools=tools)
        if head.hidden and not page.more:
            tx.update(HEADS, [_without_empty(tx, head)])
    return RangeBatch(runs.last if page.more else None, len(runs.doomed))


def accept_range(tx: Tx, job: RangeDeletion, *, after: int | None, tools: Tools) -> DeletionRow | None:
    """Makes a request of what is left behind `after` (ns), and hides it at once; None when nothing is.

    Raises `Unavailable` while too many requests of the flow are open.
    """
    head = _living(tx, job)
    if head is None:
        return None
    hidden, left_over = _open_and_failed(tx, hidden_by(head))
    left = _left(tx, hiding(head, hidden), job=job, low=job.low if after is None else after + 1)
    if left is None:
        return None
    hidden += [known for known in left_over if not left.takes_over(known, job.object_id)]
    if len(hidden) >= MOST_OPEN:
        raise Unavailable(f"{len(hidden)} deletions of flow {job.flow_id} are under way", retry_after=_RETRY)
    now = tools.clock()
    row = DeletionRow(
        id=tools.new_id(),
        flow_id=job.flow_id,
        incarnation=head.incarnation,
        timerange=str(job.timerange),
        remaining=str(left.remaining),
        delete_flow=False,
        status="created",
        created=now,
        updated=now,
        created_by=job.created_by,
        facts=msgspec.json.encode(job.facts),
    )
    entry = Hidden(row.id, left.first, left.last, head.version, job.object_id)
    changed = hiding(head, (*hidden, entry))
    tx.update(HEADS, [advanced(changed, count=head.count, covers=edges(tx, changed), event_at=head.event_at)])
    tx.insert(DELETION_REQUESTS, [row])
    return row


def advance_range(tx: Tx, row: DeletionRow, *, tools: Tools) -> DeletionRow | None:
    """One batch of a request; how it stands then, None when it has ended."""
    head = tx.get(HEADS, (row.flow_id,))
    hidden = () if head is None or head.deleting or head.incarnation != row.incarnation else hidden_by(head)
    entry = next((known for known in hidden if known.id == row.id), None)
    if head is None or entry is None:
        finish(tx, row, tools=tools)
        return None
    look = Look(low=entry.first, high=entry.last, object_id=entry.object_id, limit=tools.batch)
    page = tx.select(SEGMENTS, COLUMNS, query=query_of(row.flow_id, look))
    runs = Runs(
        page.rows,
        lambda segment, version: entry.hides(segment.span.start, version=version, object_id=segment.object_id),
        sees_all=entry.object_id is None,
    )
    others = [known for known in hidden if known.id != row.id]
    is_last = not page.more or runs.last is None
    if not is_last and runs.last is not None:
        others.append(entry.beyond(runs.last))
    head = hiding(head, others)
    if runs.doomed:
        _remove(tx, head, runs=runs, facts=_facts.decode(row.facts), tools=tools)
    else:
        tx.update(HEADS, [replace(head, version=head.version + 1)])
    if is_last:
        finish(tx, row, tools=tools)
        return None
    return progress(tx, row, remaining=_behind(row.remaining, runs), now=tools.clock())


class _Left(msgspec.Struct, frozen=True):
    """Segments that start from `first` to `last` (ns) are left; they take `remaining`."""

    first: int
    last: int
    remaining: TimeRange

    def takes_over(self, known: Hidden, object_id: str | None) -> bool:
        """Whether a request for what is left, of `object_id` where that is given, removes all that `known` hides."""
        return self.first <= known.first and known.last <= self.last and object_id in (None, known.object_id)


def _left(tx: Tx, head: Head, *, job: RangeDeletion, low: int) -> _Left | None:
    """What is to be seen of the range from `low` on: of what starts there only the last can reach beyond its end."""
    look = Look(low=low, high=job.high, object_id=job.object_id, limit=2, reverse=True)
    spans = [span_of_cells(row) for row in visible(tx, head, columns=SPAN, look=look).rows]
    last = next((span for span in spans if covers(job.timerange, span)), None)
    if last is None:
        return None
    look = Look(low=low, high=last.start, object_id=job.object_id, limit=1)
    first = span_of_cells(visible(tx, head, columns=SPAN, look=look).rows[0])
    return _Left(first.start, last.start, first.timerange().hull(last.timerange()))


def _open_and_failed(tx: Tx, hidden: Sequence[Hidden]) -> tuple[list[Hidden], list[Hidden]]:
    """What open requests hide, and what failed ones have left behind, to be removed by the next that covers it."""
    rows = tx.get_many(DELETION_REQUESTS, ((known.id,) for known in hidden))
    waiting = {row.id for row in rows.values() if row.status in OPEN}
    return [known for known in hidden if known.id in waiting], [known for known in hidden if known.id not in waiting]


def _living(tx: Tx, job: RangeDeletion) -> Head | None:
    """The head, unless the flow has been deleted meanwhile."""
    head = tx.get(HEADS, (job.flow_id,))
    return None if head is None or head.deleting or head.incarnation != job.facts.incarnation else head


def _remove(tx: Tx, head: Head, *, runs: Runs, facts: FlowFacts, tools: Tools) -> Head:
    now = tools.clock()
    at = later(now, head.event_at)
    left = remove(tx, head, doomed=runs.doomed, now=now, event_at=at + len(runs.spans) - 1)
    stage(tx, deleted(left, facts, runs=runs.spans), at=at, new_id=tools.new_id)
    return left


def _without_empty(tx: Tx, head: Head) -> Head:
    """The head without open deletions that others have left nothing to do."""
    return hiding(head, [known for known in hidden_by(head) if _is_stored(tx, known, flow_id=head.flow_id)])


def _is_stored(tx: Tx, hidden: Hidden, *, flow_id: str) -> bool:
    where = (le("head_version", hidden.up_to),)
    look = Look(low=hidden.first, high=hidden.last, where=where, object_id=hidden.object_id, limit=1)
    return bool(tx.select(SEGMENTS, ("start_ns",), query=query_of(flow_id, look)).rows)


def _behind(remaining: str, runs: Runs) -> str:
    """What is left of `remaining` when everything up to the last of `runs` is gone (DEL-4)."""
    if not runs.spans:
        return remaining
    done = runs.spans[-1]
    return str(TimeRange(done.end, None, includes_start=not done.includes_end).intersect(TimeRange.parse(remaining)))
