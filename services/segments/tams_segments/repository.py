"""Looking at timelines: each question costs a bounded number of rows, however long the flow is."""

from collections.abc import Sequence
from typing import Final

import msgspec

from tams_common.store import Page, Reader
from tams_segments.heads import density, extent, longest
from tams_segments.surroundings import Surroundings
from tams_segments.tables import Head
from tams_segments.timeline import Span, Timeline, is_outside
from tams_segments.visible import Cells, Look, visible

SPAN: Final = ("start_ns", "end_ns", "end_inclusive")


def in_the_way(tx: Reader, head: Head, *, spans: Sequence[Span], page: int) -> list[Span]:
    """Of the spans to be seen, the first that each of `spans` overlaps, read at most `page` at once.

    A batch that continues the flow costs no query, one that fills a gap a single one; one that is scattered over the
    flow costs more for what lies around its items only (`surroundings`).
    """
    whole = extent(head)
    inside = sorted(span for span in spans if not is_outside(whole, span))
    if whole is None or not inside:
        return []

    def look(look: Look) -> Page[Span]:
        rows = visible(tx, head, columns=SPAN, look=look)
        return Page([span_of_cells(row) for row in rows.rows], rows.more)

    width = density(head, 1)
    seen = Surroundings(look=look, first=whole.start, longest=longest(head), page=page, width=width)
    found: set[Span] = set()
    for rows, settled in seen.around(inside, whole=False):
        taken = Timeline(rows)
        found.update(clash for clash in map(taken.clash, settled) if clash is not None)
    return list(found)


def floor(tx: Reader, head: Head, *, at: int, object_id: str | None = None) -> Span | None:
    """The last span to be seen that starts at `at` (ns) or before: the only one that can reach over that moment."""
    look = Look(high=at, object_id=object_id, limit=1, reverse=True, width=density(head, 1))
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


def span_of_cells(row: Cells) -> Span:
    """The span in a row of the columns `SPAN`."""
    start, end, includes_end = row
    if not isinstance(start, int) or not isinstance(end, int):
        raise TypeError(f"a segment row without times: {row}")
    return Span(start, end, bool(includes_end))
