"""Removing all segments of a flow that catalog has hidden: the head is fenced first, so that nothing comes after."""

from typing import Any, Final

import msgspec

from tams_common.clock import SECOND
from tams_common.ids import FlowId, Incarnation
from tams_common.store import Query, Tx, eq
from tams_common.timerange import EMPTY
from tams_segments.deletion_requests import Tools, open_of_flow, progress
from tams_segments.heads import extent, fenced
from tams_segments.removal import remove
from tams_segments.runs import COLUMNS, Runs
from tams_segments.tables import DELETION_REQUESTS, HEADS, SEGMENTS, TOMBSTONES, DeletionRow, Head, Tombstone

TOMBSTONE_LIFE: Final = 3600 * SECOND


class FlowDeletion(msgspec.Struct, frozen=True):
    """Which creation of a flow is to go."""

    flow_id: FlowId
    incarnation: Incarnation
    created_by: str | None = None


class FlowBatch(msgspec.Struct, frozen=True):
    """How far a deletion is: `is_last` when nothing is left to do, be it that the worker is at it by `request`.

    `extent` is the timerange of what was to be seen before.
    """

    is_last: bool
    extent: str = str(EMPTY)
    request: DeletionRow | None = None


def remove_flow(tx: Tx, job: FlowDeletion, *, tools: Tools) -> FlowBatch:
    """Fences the flow and removes one batch."""
    stored = tx.get(HEADS, (job.flow_id,))
    head = fenced(stored, job.flow_id, incarnation=job.incarnation)
    if head is None:
        return FlowBatch(is_last=True)
    if stored is not None and stored == head:
        request = open_of_flow(tx, job.flow_id, incarnation=job.incarnation)
        if request is not None:
            return FlowBatch(is_last=True, request=request)
    left = _remove(tx, head, stored=stored, tools=tools)
    return FlowBatch(is_last=left.count == 0, extent=_extent(head))


def accept_flow(tx: Tx, job: FlowDeletion, *, whole: str, tools: Tools) -> DeletionRow | None:
    """Makes a request of what is left of the flow, which took the timerange `whole`; None when nothing is."""
    head = tx.get(HEADS, (job.flow_id,))
    if head is None or head.incarnation != job.incarnation or head.count == 0:
        return None
    known = open_of_flow(tx, job.flow_id, incarnation=job.incarnation)
    if known is not None:
        return known
    now = tools.clock()
    row = DeletionRow(
        id=tools.new_id(),
        flow_id=job.flow_id,
        incarnation=job.incarnation,
        timerange=whole,
        remaining=_extent(head),
        delete_flow=True,
        status="created",
        created=now,
        updated=now,
        created_by=job.created_by,
    )
    tx.touch(HEADS, (job.flow_id,))
    tx.insert(DELETION_REQUESTS, [row])
    return row


def advance_flow(tx: Tx, row: DeletionRow, *, tools: Tools) -> DeletionRow | None:
    """One batch of a request; how it stands then, None when no segment is left: then it is catalog's turn."""
    head = tx.get(HEADS, (row.flow_id,))
    if head is None or head.incarnation != row.incarnation or head.count == 0:
        return None
    left = _remove(tx, head, stored=head, tools=tools)
    return progress(tx, row, remaining=_extent(left), now=tools.clock())


def _remove(tx: Tx, head: Head, *, stored: Head | None, tools: Tools) -> Head:
    """Removes a batch of a fenced flow and writes its head; the last one leaves a tombstone for late writers."""
    now = tools.clock()
    rows: list[Any] = tx.select(SEGMENTS, COLUMNS, query=Query((eq("flow_id", head.flow_id),), limit=tools.batch)).rows
    left = head
    if rows:
        left = remove(tx, head, doomed=Runs(rows, lambda *_: True).doomed, now=now, event_at=head.event_at)
    elif stored is None:
        tx.insert(HEADS, [head])
    elif stored != head:
        tx.update(HEADS, [head])
    if left.count == 0 and left != stored:
        tx.insert(TOMBSTONES, [Tombstone(now + TOMBSTONE_LIFE, head.flow_id, Incarnation(head.incarnation))])
    return left


def _extent(head: Head) -> str:
    whole = extent(head)
    return str(EMPTY if whole is None else whole.timerange())
