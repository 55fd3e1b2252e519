"""The head of a flow's timeline: who may write, and how each change advances it (ADR 0003)."""

from collections.abc import Iterable

import msgspec

from tams_common.errors import NotFound
from tams_common.ids import FlowId, Incarnation
from tams_common.store import window_width
from tams_common.timerange import MAX_NS, MIN_NS
from tams_segments.tables import Head
from tams_segments.timeline import Span


def admit(head: Head | None, flow_id: FlowId, *, incarnation: Incarnation) -> Head:
    """The head that a writer for `incarnation` builds on: the one there is, or an empty one.

    Raises `NotFound` for a writer that comes too late: its flow is being deleted, or was deleted and created anew.
    """
    if head is None:
        return Head(flow_id, incarnation, version=0)
    if head.deleting and head.incarnation != incarnation and head.count == 0:
        return msgspec.structs.replace(head, incarnation=incarnation, deleting=False, hidden=b"")
    if head.deleting or head.incarnation != incarnation:
        raise NotFound(f"flow {flow_id} has been deleted")
    return head


def extent(head: Head | None) -> Span | None:
    """The span from the flow's first segment to its last; None without segments."""
    if head is None or head.first_start is None or head.last_end is None:
        return None
    return Span(head.first_start, head.last_end, head.last_inclusive)


def density(head: Head, limit: int) -> int:
    """The hint (`Query.width`, ns) for a look at `limit` segments of the flow, as if they lay evenly; 0 for none."""
    if head.first_start is None or head.last_end is None:
        return 0
    return window_width(limit, count=head.count, first=head.first_start, last=head.last_end)


def longest(head: Head) -> int:
    """A length (ns) that no segment of the flow exceeds: as long as all of time when the head does not know."""
    return MAX_NS - MIN_NS if head.longest is None else head.longest


def with_lengths(head: Head, spans: Iterable[Span]) -> Head:
    """The head once segments with these spans have been added to what it counts."""
    known = 0 if head.count == 0 else head.longest
    if known is None:
        return head
    length = max((span.end - span.start for span in spans), default=0)
    return msgspec.structs.replace(head, longest=max(known, length) if length <= MAX_NS else None)


def advanced(head: Head, *, count: int, covers: Span | None, event_at: int) -> Head:
    """The head after a change that left `count` segments, those to be seen with the extent `covers`."""
    return Head(
        flow_id=head.flow_id,
        incarnation=head.incarnation,
        version=head.version + 1,
        count=count,
        first_start=covers.start if covers else None,
        last_end=covers.end if covers else None,
        last_inclusive=covers.includes_end if covers else False,
        deleting=head.deleting,
        event_at=event_at,
        hidden=head.hidden,
        longest=head.longest,
    )


def fenced(head: Head | None, flow_id: FlowId, *, incarnation: Incarnation) -> Head | None:
    """The head once `incarnation` is to be deleted; None when a call that comes too late finds a younger flow there."""
    if head is None:
        return Head(flow_id, incarnation, version=1, deleting=True)
    if head.incarnation == incarnation and head.deleting:
        return head
    if head.incarnation == incarnation or (head.deleting and head.count == 0):
        version = head.version + 1
        return msgspec.structs.replace(head, incarnation=incarnation, version=version, deleting=True, hidden=b"")
    return None
