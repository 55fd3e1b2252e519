"""Pages of a table with tokens under filters: through the shortest list that an index has, or over all narrow rows.

No one statement is good for every filter, and SQLite keeps no statistics of single values. So lists are measured where
the page begins, and what was begun is given up when it has cost as much as going through everything does (ADR 0013).
Costs are counted in rows that are read one after the other.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

import msgspec

from tams_common.store.port import Query
from tams_common.store.sqlite.paths import Paths, Place, Span
from tams_common.store.sqlite.postings import Posting, Postings
from tams_common.store.where import Condition

TRIAL: Final = 1000
"""What is spent before anything is weighed: a few tenths of a millisecond."""
_PROBE: Final = 2.5
_NEXT_ROW: Final = 1.5
_OWN_ROW: Final = 3.0
_ROW_BY_ID: Final = 10.0
_ROW_BY_KEY: Final = 25.0
"""The cost of a look into another list, and of four ways to the row of an entry, from near to far."""
_FEW: Final = 4
"""Of the entries of a list, others are taken to hold one in so many."""
_FAINT: Final = 3
"""Where a list promises little it is tried for this part of what everything costs, each time so much longer."""
_MERGED: Final = 2
"""So many lists are gone through side by side for less than all rows are read."""


class _Way(msgspec.Struct, frozen=True):
    """How one goes on: how far for a cost (None: to the end), and to which rows in a span."""

    mark: Callable[[Place | None, float], Place | None]
    walk: Callable[[Span, int], list[Place]]


class Rows(Protocol):
    """At most so many of the rows beyond a place."""

    def __call__(self, after: Place, *, most: int) -> list[Place]: ...


class _Instead(msgspec.Struct, frozen=True):
    """What the rows beyond a place cost another way, whatever there is to be found."""

    cost: int
    rows: Rows


class Search:
    """One page, with one row more than its limit, of a query whose order columns are never null."""

    def __init__(self, paths: Paths, postings: Postings, *, query: Query, trial: int = TRIAL) -> None:
        self._paths = paths
        self._everything = postings.everything
        self._found = [(condition, postings.of(condition)) for condition in query.where]
        self._after = query.after
        self._lists = [posting for _, posting in self._found if posting is not None]
        # Few rows share a token: such a list is likely to be the short one that ends the search.
        self._positive = sorted((each for each in self._lists if not each.negate), key=lambda posting: posting.own)
        self._rest = [condition for condition, posting in self._found if posting is None]
        self._most = (query.limit or 0) + 1
        self._trial = trial

    def places(self) -> list[Place]:
        """The order columns of the rows, in order."""
        return self._in_own_order() if self._paths.in_own_order else self._in_other_order()

    def _in_own_order(self) -> list[Place]:
        """Along the list that reaches furthest for the same cost."""
        if not self._rest and len(self._lists) == len(self._positive) == 1 and not self._lists[0].merged:
            return self._walk(self._lists[0], (self._after, None), most=self._most)
        reached: list[tuple[Posting, Place]] = []
        for posting in self._positive:
            end = self._mark(posting, self._after, cost=self._trial) if not posting.merged else None
            if self._is_short(posting) if posting.merged else end is None:
                return self._walk(posting, (self._after, None), most=self._most)
            if end is not None:
                reached.append((posting, end))
        walked, mark = self._everything, self._mark(self._everything, self._after, cost=self._trial)
        for posting, end in reached:
            if mark is not None and self._paths.further(end, mark):
                walked, mark = posting, end
        way = _Way(
            lambda after, cost: self._mark(walked, after, cost=cost),
            lambda span, most: self._walk(walked, span, most=most),
        )
        return self._along(way, mark, instead=self._everything_else)

    def _in_other_order(self) -> list[Place]:
        """A short list is sorted; else along the index of the order, whose every row has to be looked at."""
        for posting in self._positive:
            if self._is_short(posting):
                return self._walk(posting, (self._after, None), most=self._most)

        def mark(after: Place | None, cost: float) -> Place | None:
            return self._paths.row_mark(after, step=self._entries(cost, _ROW_BY_ID))

        way = _Way(mark, lambda span, most: self._paths.row_walk(span, most=most))
        return self._along(way, mark(self._after, self._trial), instead=self._sorted)

    def _along(self, way: _Way, mark: Place | None, *, instead: Callable[[], _Instead]) -> list[Place]:
        """A page by `way`, where the trial gets to `mark`: further while that promises to cost less than what can be
        done instead, and for a part of that, little by little, where it will hardly do."""
        found = way.walk((self._after, mark), self._most)
        if mark is None or len(found) == self._most:
            return found
        other, spent = instead(), self._trial
        end: Place | None = mark
        while end is not None and len(found) < self._most:
            missing = self._most - len(found)
            cost = spent * missing // len(found) if found else other.cost
            if spent + cost > other.cost:
                if spent >= other.cost // _FAINT:
                    return found + other.rows(end, most=missing)
                cost = min(_FAINT * spent, other.cost // _FAINT)
            start, end = end, way.mark(end, cost)
            found = found + way.walk((start, end), missing)
            spent += cost
        return found

    def _everything_else(self) -> _Instead:
        """Going through few lists side by side, or through all rows."""
        negative = [posting for posting in self._lists if posting.negate]
        lists = [*(self._positive or [self._everything]), *negative]
        if self._rest or len(lists) > _MERGED or any(posting.merged for posting in lists):
            return self._all_rows()
        return _Instead(self._paths.about(), partial(self._paths.merge, lists))

    def _sorted(self) -> _Instead:
        """Sorting a list that is not too long, or all rows."""
        instead = self._all_rows()
        for posting in self._positive:
            weight = self._weight(posting)
            most = self._entries(instead.cost, weight)
            count = self._paths.count(posting, most)
            if count < most:
                instead = _Instead(int(count * weight), partial(self._beyond, posting))
        return instead

    def _beyond(self, posting: Posting, after: Place, *, most: int) -> list[Place]:
        return self._walk(posting, (after, None), most=most)

    def _all_rows(self) -> _Instead:
        return _Instead(self._paths.about(), self._paths.scan)

    def _is_short(self, posting: Posting) -> bool:
        """Whether all of a list costs less than a trial."""
        most = self._entries(self._trial, self._weight(posting))
        return self._paths.count(posting, most) < most

    def _mark(self, posting: Posting, after: Place | None, *, cost: float) -> Place | None:
        """How far one gets along a list for `cost`; None for to its end."""
        return self._paths.mark(posting, after, step=self._entries(cost, self._weight(posting)))

    def _entries(self, cost: float, weight: float) -> int:
        return max(self._most, int(cost / weight))

    def _walk(self, posting: Posting, span: Span, *, most: int) -> list[Place]:
        others, rest = self._others(posting)
        return self._paths.walk(posting, others, rest=rest, span=span, most=most)

    def _others(self, posting: Posting) -> tuple[Sequence[Posting], Sequence[Condition]]:
        """What is left to ask of an entry: in other lists, and of its row. A row that is near is asked everything,
        unless one look into another list will do."""
        others = [other for other in self._lists if other is not posting]
        if posting.own and (self._rest or len(others) > 1):
            return (), [condition for condition, other in self._found if other is not posting]
        return others, self._rest

    def _weight(self, walked: Posting) -> float:
        """What an entry of a list costs."""
        others, rest = self._others(walked)
        row = _NEXT_ROW if walked == self._everything else _OWN_ROW if walked.own else _ROW_BY_KEY
        if not self._paths.in_own_order:
            return 1 + _PROBE * len(others) + (row / _FEW if others else row)
        return 1 + _PROBE * len(others) + (row if rest else 0)
