"""A flow's timeline: which spans are taken, and which of them a new one would overlap (SGP-8, TIME-16).

The segments of one flow never overlap and always include their start (SGP-7), so their starts are all different, and
their order by start is their order by end, too.
"""

from bisect import bisect_right
from collections.abc import Iterable
from typing import NamedTuple

from tams_common.timerange import TimeRange


class Span(NamedTuple):
    """The time that a segment takes, in ns: from `start`, always included, to `end`."""

    start: int
    end: int
    includes_end: bool

    def precedes(self, other: "Span") -> bool:
        """Whether all of this span lies before all of `other`; touching is not overlapping."""
        return self.end < other.start or (self.end == other.start and not self.includes_end)

    def timerange(self) -> TimeRange:
        """The span as the API writes it."""
        return TimeRange(self.start, self.end, includes_end=self.includes_end)


def span_of(timerange: TimeRange) -> Span | None:
    """The span of a segment's timerange; None unless it is bounded, not empty, and includes its start (SGP-7)."""
    start, end = timerange.start, timerange.end
    if start is None or end is None or not timerange.includes_start:
        return None
    return Span(start, end, timerange.includes_end)


class Timeline:
    """The spans that are taken around a batch of new ones; each accepted one is taken for those after it (SGP-9)."""

    def __init__(self, taken: Iterable[Span] = ()) -> None:
        self._spans = sorted(taken)
        self._starts = [span.start for span in self._spans]

    def clash(self, span: Span) -> Span | None:
        """The earliest taken span that `span` overlaps, or None."""
        at = bisect_right(self._starts, span.start)
        if at and not self._spans[at - 1].precedes(span):
            return self._spans[at - 1]
        if at < len(self._spans) and not span.precedes(self._spans[at]):
            return self._spans[at]
        return None

    def take(self, span: Span) -> None:
        """Marks a span that clashes with none as taken."""
        at = bisect_right(self._starts, span.start)
        self._starts.insert(at, span.start)
        self._spans.insert(at, span)


def extend(extent: Span | None, span: Span) -> Span:
    """The smallest span that covers both."""
    if extent is None:
        return span
    end, includes_end = max((extent.end, extent.includes_end), (span.end, span.includes_end))
    return Span(min(extent.start, span.start), end, includes_end)


def is_outside(extent: Span | None, span: Span) -> bool:
    """Whether `span` lies wholly before or after everything in `extent`."""
    return extent is None or extent.precedes(span) or span.precedes(extent)


def covers(timerange: TimeRange, span: Span) -> bool:
    """Whether all of `span` lies in `timerange`: what a deletion takes (SGD-1); a read takes what overlaps (T-20)."""
    return timerange.contains(span.timerange())
