"""Looking at timelines: each question costs a bounded number of rows, however long the flow is."""

from collections.abc import Sequence
from typing import Final

import msgspec

from tams_common.store import Reader, eq
from tams_segments.heads import density, extent
from tams_segments.tables import Head
from tams_segments.timeline import Span, is_outside
from tams_segments.visible import Cells, Look, visible

SPAN: Final = ("start_ns", "end_ns", "end_inclusive")
_STEP: Final = 64


def neighbours(tx: Reader, head: Head, *, spans: Sequence[Span]) -> list[Span]:
    """The spans to be seen that `spans` could overlap, and a few around them.

    A batch that continues the flow costs no query, one that fills a gap two. One that is scattered over a dense flow
    goes on in small steps from item to item, so that it never reads what lies far from all of them.
    """
    whole = extent(head)
    inside = sorted(span for span in spans if not is_outside(whole, span))
    found: dict[int, Span] = {}
    limit = 2 * len(inside) + 16
    at = 0
    while at < len(inside):
        before = floor(tx, head, at=inside[at].start)
        if before is not None:
            found[before.start] = before
        after = _between(tx, head, start=inside[at].start, last=max(span.end for span in inside[at:]), limit=limit)
        found.update((span.start, span) for span in after)
        if len(after) < limit:
            break
        at = _next(inside, at, reached=after[-1].start)
        limit = _STEP
    return list(found.values())


def floor(tx: Reader, head: Head, *, at: int, object_id: str | None = None) -> Span | None:
    """The last span to be seen that starts at `at` (ns) or before: the only one that can reach over that moment."""
    where = () if object_id is None else (eq("object_id", object_id),)
    look = Look(high=at, where=where, limit=1, reverse=True, width=density(head, 1))
    rows = visible(tx, head, columns=SPAN, look=look).rows
    return span_of_cells(rows[0]) if rows else None


def edges(tx: Reader, head: Head, *, first: bool = True, last: bool = True) -> Span | None:
    """The extent of a flow as its segments tell it, for when the `first` or `last` of those that made the head's are
    gone or hidden."""
    whole = extent(head)
    if whole is None:
        return None
    look = Look(low=whole.start, high=whole.end, limit=1, width=density(head, 1))
    start, end = whole.start, whole
    if first:
        rows = visible(tx, head, columns=SPAN, look=look).rows
        if not rows:
            return None
        start = span_of_cells(rows[0]).start
    if last:
        rows = visible(tx, head, columns=SPAN, look=msgspec.structs.replace(look, reverse=True)).rows
        if not rows:
            return None
        end = span_of_cells(rows[0])
    return Span(start, end.end, end.includes_end)


def _between(tx: Reader, head: Head, *, start: int, last: int, limit: int) -> list[Span]:
    look = Look(low=start + 1, high=last, limit=limit)
    return [span_of_cells(row) for row in visible(tx, head, columns=SPAN, look=look).rows]


def _next(spans: Sequence[Span], at: int, *, reached: int) -> int:
    """The first span after `at` around which not everything has been seen yet, when starts have been up to `reached`.

    The span at `at` itself is done: either all of it has been seen, or more than one stored span that starts within it.
    """
    at += 1
    while at < len(spans) and spans[at].end < reached:
        at += 1
    return at


def span_of_cells(row: Cells) -> Span:
    """The span in a row of the columns `SPAN`."""
    start, end, includes_end = row
    if not isinstance(start, int) or not isinstance(end, int):
        raise TypeError(f"a segment row without times: {row}")
    return Span(start, end, bool(includes_end))
