"""What is stored around many spans, in as many looks as what is found needs, not one for each span (ADR 0003).

No segment of a flow lasts longer than its head knows, so whatever reaches over a moment starts at most so long before.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Generic, NamedTuple, TypeVar

import msgspec

from tams_common.store import AnyOf, Page
from tams_common.store.where import Between
from tams_segments.timeline import Span
from tams_segments.visible import Look

R = TypeVar("R", bound=tuple[Any, ...])

_ROWS_EACH = 8
"""Of a full page, rows for each range: in a flow of even segments a span that fits into a gap has three around it."""


class Found(NamedTuple, Generic[R]):
    """Rows in order of time, and the spans that they settle; it may begin with the last row of the one before."""

    rows: list[R]
    settled: Sequence[Span]


class Surroundings(msgspec.Struct, Generic[R], frozen=True, kw_only=True):
    """The rows of a flow that `look` shows: their first column is the start, and they do not overlap one another.

    None starts before `first` or lasts longer than `longest` (both ns). At most `page` of them are read at once;
    `width` is the store's hint (`Query`) for one of them.
    """

    look: Callable[[Look], Page[R]]
    first: int
    longest: int
    page: int
    width: int = 0

    def around(self, spans: Sequence[Span], *, whole: bool) -> Iterator[Found[R]]:
        """All rows that overlap `spans`, with a few others; a span is settled when at least the first one has been
        found that overlaps it, or with `whole` when all have been.

        `spans` are in order, by start and with `whole` by end, too. Where much is in the way that settles nothing,
        since few segments last nearly as long as the longest, a span costs up to three looks.
        """
        at, seen = 0, self.first - 1
        known: list[R] = []
        while at < len(spans):
            ranges, end = self._ranges(spans, at, seen=seen)
            page = self._within(ranges)
            rows = [*known, *page.rows]
            if not page.more:
                yield Found(rows, spans[at:end])
                at, known = end, []
                continue
            seen = page.rows[-1][0]
            settled = at
            while settled < end and (spans[settled].end if whole else spans[settled].start) <= seen:
                settled += 1
            yield Found(rows, spans[at:settled])
            known = rows[-1:]
            if settled == at and seen < spans[at].start:
                seen = spans[at].start
                known = self.look(Look(high=seen, limit=1, reverse=True, width=self.width)).rows
            at = settled

    def _ranges(self, spans: Sequence[Span], at: int, *, seen: int) -> tuple[list[Between], int]:
        """Where rows may start that overlap the spans from `at` on, as far as they fit into one look, and the place of
        the first span that does not; up to `seen` (ns) all are known."""
        found: list[tuple[int, int]] = []
        most = max(self.page // _ROWS_EACH, 1)
        end = at
        for end in range(at, len(spans)):
            span = spans[end]
            low, high = max(span.start - self.longest, seen + 1), span.end - (not span.includes_end)
            if found and low <= found[-1][1] + 1:
                found[-1] = (found[-1][0], max(high, found[-1][1]))
            elif len(found) == most:
                break
            elif low <= high:
                found.append((low, high))
        else:
            end = len(spans)
        return [Between("start_ns", low, high) for low, high in found], end

    def _within(self, ranges: Sequence[Between]) -> Page[R]:
        if not ranges:
            return Page([])
        where = (AnyOf(tuple(ranges)),) if len(ranges) > 1 else ()
        low, high = int(ranges[0].low), int(ranges[-1].high)
        return self.look(Look(low=low, high=high, where=where, limit=self.page))
