"""Which segments of a batch go, and the spans to tell about: each begins and ends in one that went (EVT-6, T-71)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from tams_segments.removal import Doomed
from tams_segments.timeline import Span, extend

COLUMNS: Final = ("start_ns", "end_ns", "end_inclusive", "object_id", "head_version")


class Runs:
    """What of `rows`, which have `COLUMNS` and are in order of time, `goes`: asked with the head's version, too.

    A run holds no segment that stays. Where not all segments between those of `rows` are among them, a run ends at a
    gap in time, where one that stays may be. `last` is the start (ns) of the last row.
    """

    def __init__(
        self, rows: Iterable[Sequence[Any]], goes: Callable[[Doomed, int], bool], *, sees_all: bool = True
    ) -> None:
        self.doomed: list[Doomed] = []
        self.spans: list[Span] = []
        self.last: int | None = None
        self._joined = False
        self._sees_all = sees_all
        for row in rows:
            self.last = row[0]
            segment = Doomed(Span(row[0], row[1], bool(row[2])), row[3])
            if goes(segment, row[4]):
                self._add(segment)
            else:
                self._joined = False

    def _add(self, segment: Doomed) -> None:
        self.doomed.append(segment)
        if self._joined and (self._sees_all or self.spans[-1].end == segment.span.start):
            self.spans[-1] = extend(self.spans[-1], segment.span)
        else:
            self.spans.append(segment.span)
        self._joined = True
