"""Making way for a writer: hidden segments whose time it takes go at once, whatever the worker has reached (ADR 0007).

Two segments of a flow cannot start at the same time, not even if one of them is not to be seen any more; and whoever
applies the events one after another must not take the new one for deleted.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from tams_common.clock import later
from tams_common.store import Query, Tx, eq, ge, le
from tams_segments.hiding import Hidden, hidden_by
from tams_segments.removal import Doomed, remove
from tams_segments.runs import COLUMNS
from tams_segments.tables import SEGMENTS, Head
from tams_segments.timeline import Span, Timeline, extend

_MOST: Final = 2000
"""Segments that are looked at for it, at most: a batch that is spread wider only displaces what starts when it does."""


class Way(NamedTuple):
    """The head once there is room, and what had to go: an event is to tell of each, the last one at `event_at`."""

    head: Head
    gone: Sequence[Span] = ()


def make_way(tx: Tx, head: Head, *, spans: Sequence[Span], now: int) -> Way:
    """Removes hidden segments in the place of `spans`."""
    gone: dict[int, Doomed] = {}
    taken = Timeline(_merged(spans))
    for hidden in hidden_by(head):
        near = [span for span in spans if span.end >= hidden.first]
        for row in _rows(tx, head.flow_id, hidden=hidden, near=near):
            segment = Doomed(Span(row[0], row[1], bool(row[2])), row[3])
            if hidden.hides(row[0], version=row[4], object_id=row[3]) and taken.clash(segment.span):
                gone[row[0]] = segment
    if not gone:
        return Way(head)
    doomed = [gone[start] for start in sorted(gone)]
    last = later(now, head.event_at) + len(doomed) - 1
    return Way(remove(tx, head, doomed=doomed, now=now, event_at=last), [segment.span for segment in doomed])


def _rows(tx: Tx, flow_id: str, *, hidden: Hidden, near: Sequence[Span]) -> Iterable[Sequence[Any]]:
    """What may be in the way: the segment that reaches over the first start, what starts up to the last end, and in any
    case what starts when one of `near` does."""
    if not near:
        return
    low, high = min(span.start for span in near), min(max(span.end for span in near), hidden.last)
    where = (eq("flow_id", flow_id), le("head_version", hidden.up_to))
    before = Query((*where, ge("start_ns", hidden.first), le("start_ns", min(low, high))), limit=1, reverse=True)
    yield from tx.select(SEGMENTS, COLUMNS, query=before).rows
    if low > high:
        return
    within = Query((*where, ge("start_ns", low), le("start_ns", high)), limit=_MOST)
    page = tx.select(SEGMENTS, COLUMNS, query=within)
    yield from page.rows
    if page.more:
        for row in tx.get_many(SEGMENTS, ((flow_id, span.start) for span in near)).values():
            yield row.start_ns, row.end_ns, row.end_inclusive, row.object_id, row.head_version


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that do not overlap."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and not found[-1].precedes(span):
            found[-1] = extend(found[-1], span)
        else:
            found.append(span)
    return found
