"""Deleting a flow: hidden at once, gone when segments has removed what belongs to it (architecture 5, ADR 0007)."""

from tams_catalog.changes import Changes
from tams_catalog.put_flow import check_writable, living_flow
from tams_catalog.relations import vanish
from tams_catalog.tables import DELETIONS, FLOWS, DeletionRow
from tams_common.ids import FlowId, Incarnation
from tams_common.store import Query, Reader, Tx


def begin_deletion(changes: Changes, flow_id: FlowId) -> Incarnation:
    """Hides the flow and announces that it is deleted; returns which creation of it is to be removed.

    Raises `NotFound` and, for a read-only flow, `Forbidden` (FLW-43).
    """
    flow = living_flow(changes, flow_id)
    check_writable(flow)
    vanish(changes, flow)
    changes.tx.insert(DELETIONS, [DeletionRow(flow.id, flow.incarnation)])
    return flow.incarnation


def finish_deletion(tx: Tx, flow_id: FlowId, *, incarnation: Incarnation) -> None:
    """Removes what is left of that creation of the flow; done twice it does nothing more."""
    row = tx.get(FLOWS, (flow_id,))
    if row is None or not row.deleting or row.incarnation != incarnation:
        return
    tx.delete(FLOWS, [(flow_id,)])
    tx.delete(DELETIONS, [(flow_id,)])


def unfinished_deletions(reader: Reader, after: FlowId | None, *, limit: int) -> list[tuple[FlowId, Incarnation]]:
    """Flows that are hidden, but not yet gone, in the order of their ids."""
    waiting = reader.scan(DELETIONS, Query(after=None if after is None else (after,), limit=limit))
    return [(row.flow_id, row.incarnation) for row in waiting.rows]
