"""Making way for a writer: hidden segments whose place it takes go at once, whatever the worker has reached (ADR 0007).

Two segments of a flow cannot start at the same time, not even if one of them is not to be seen any more.
"""

from collections.abc import Sequence
from typing import NamedTuple

from tams_common.clock import later
from tams_common.store import Tx
from tams_segments.hiding import hidden_by
from tams_segments.removal import Doomed, remove
from tams_segments.tables import SEGMENTS, Head
from tams_segments.timeline import Span


class Way(NamedTuple):
    """The head once there is room, and what had to go: an event is to tell of each, the last one at `event_at`."""

    head: Head
    gone: Sequence[Span] = ()


def make_way(tx: Tx, head: Head, *, spans: Sequence[Span], now: int) -> Way:
    """Removes hidden segments that start where one of `spans` does."""
    hidden = hidden_by(head)
    starts = {span.start for span in spans if any(known.first <= span.start <= known.last for known in hidden)}
    found = tx.get_many(SEGMENTS, ((head.flow_id, start) for start in sorted(starts))).values()
    gone = [
        Doomed(Span(row.start_ns, row.end_ns, row.end_inclusive), row.object_id)
        for row in found
        if any(known.hides(row.start_ns, version=row.head_version, object_id=row.object_id) for known in hidden)
    ]
    if not gone:
        return Way(head)
    last = later(now, head.event_at) + len(gone) - 1
    return Way(remove(tx, head, doomed=gone, now=now, event_at=last), [segment.span for segment in gone])
