"""Making way for a writer: hidden segments whose time it takes go at once, whatever the worker has reached (ADR 0007).

Two segments of a flow cannot start at the same time, not even if one of them is not to be seen any more; and whoever
applies the events one after another must not take the new one for deleted.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from tams_common.clock import later
from tams_common.store import Page, Reader, Tx, ge, le
from tams_common.store.where import Condition
from tams_segments.heads import longest
from tams_segments.hiding import Hidden, hidden_by
from tams_segments.removal import Doomed, remove
from tams_segments.runs import COLUMNS
from tams_segments.surroundings import Surroundings
from tams_segments.tables import SEGMENTS, Head
from tams_segments.timeline import Span, Timeline, extend
from tams_segments.visible import Look, query_of


class Limits(NamedTuple):
    """How many rows are read at once, and how many go in one transaction."""

    page: int
    batch: int


class Way(NamedTuple):
    """The head once there is room, and what had to go: an event is to tell of each, the last one at `event_at`.

    Unless `clear` there is more in the way.
    """

    head: Head
    gone: Sequence[Span] = ()
    clear: bool = True


def make_way(tx: Tx, head: Head, *, spans: Sequence[Span], now: int, limits: Limits) -> Way:
    """Removes the hidden segments that overlap `spans`, or as many of them as may go at once."""
    gone: dict[int, Doomed] = {}
    clear = True
    for row in _in_the_way(tx, head, spans=_merged(spans), page=limits.page):
        clear = row[0] in gone or len(gone) < limits.batch
        if not clear:
            break
        gone[row[0]] = Doomed(_span(row), row[3])
    if not gone:
        return Way(head)
    doomed = [gone[start] for start in sorted(gone)]
    last = later(now, head.event_at) + len(doomed) - 1
    left = remove(tx, head, doomed=doomed, now=now, event_at=last)
    return Way(left, [segment.span for segment in doomed], clear)


def _in_the_way(tx: Reader, head: Head, *, spans: Sequence[Span], page: int) -> Iterator[Sequence[Any]]:
    """All hidden rows that overlap `spans`, which do not overlap one another; some come more than once."""
    taken = Timeline(spans)
    for hidden in hidden_by(head):
        near = [span for span in spans if hidden.first <= span.end and span.start - longest(head) <= hidden.last]
        look = _look(tx, head.flow_id, hidden=hidden)
        rows = Surroundings(look=look, first=hidden.first, longest=longest(head), page=page)
        for found in rows.around(near, whole=True):
            yield from (row for row in found.rows if taken.clash(_span(row)))


def _look(tx: Reader, flow_id: str, *, hidden: Hidden) -> Callable[[Look], Page[Any]]:
    """Looks at nothing but what `hidden` hides."""
    where: tuple[Condition, ...] = (ge("start_ns", hidden.first), le("start_ns", hidden.last))
    where = (*where, le("head_version", hidden.up_to))

    def look(look: Look) -> Page[Any]:
        narrowed = msgspec.structs.replace(look, where=(*look.where, *where), object_id=hidden.object_id)
        return tx.select(SEGMENTS, COLUMNS, query=query_of(flow_id, narrowed))

    return look


def _span(row: Sequence[Any]) -> Span:
    return Span(row[0], row[1], bool(row[2]))


def _merged(spans: Iterable[Span]) -> list[Span]:
    """The same time in spans that do not overlap."""
    found: list[Span] = []
    for span in sorted(spans):
        if found and not found[-1].precedes(span):
            found[-1] = extend(found[-1], span)
        else:
            found.append(span)
    return found
