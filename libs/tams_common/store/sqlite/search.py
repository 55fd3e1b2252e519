"""Pages of a table with tokens under filters: through the shortest list that an index has, or over all narrow rows.

No one statement is good for every filter, and SQLite keeps no statistics of single values. So lists are measured where
the page begins, and what was begun is given up when it has cost as much as going through everything does (ADR 0013).
Costs are counted in rows that are read one after the other.
"""

from collections.abc import Sequence
from typing import Final

from tams_common.store.port import Query
from tams_common.store.sqlite.paths import Paths, Place
from tams_common.store.sqlite.postings import Posting, Postings
from tams_common.store.where import Condition

TRIAL: Final = 4000
"""What is spent before anything is weighed: less than a millisecond."""
_PROBE: Final = 2.5
_NEXT_ROW: Final = 1.5
_OWN_ROW: Final = 3.0
_ROW_BY_KEY: Final = 25.0
"""The cost of a look into another list, and of three ways to the row of an entry."""
_FAINT: Final = 3
"""Where a list promises little it is tried for this part of what everything costs."""
_MERGED: Final = 2
"""So many lists are gone through side by side for less than all rows are read."""


class Search:
    """One page, with one row more than its limit, of a query whose order columns are never null."""

    def __init__(self, paths: Paths, postings: Postings, *, query: Query, trial: int = TRIAL) -> None:
        self._paths = paths
        self._everything = postings.everything
        self._found = [(condition, postings.of(condition)) for condition in query.where]
        self._after = query.after
        self._lists = [posting for _, posting in self._found if posting is not None]
        self._positive = [posting for posting in self._lists if not posting.negate]
        self._rest = [condition for condition, posting in self._found if posting is None]
        self._most = (query.limit or 0) + 1
        self._trial = trial

    def places(self) -> list[Place]:
        """The order columns of the rows, in order."""
        return self._in_own_order() if self._paths.in_own_order else self._in_other_order()

    def _in_own_order(self) -> list[Place]:
        """Along the list that reaches furthest for the same cost."""
        if not self._rest and len(self._lists) == len(self._positive) == 1 and not self._lists[0].merged:
            return self._walk(self._lists[0], self._after)
        walked, mark = self._everything, self._mark(self._everything, self._after, cost=self._trial)
        for posting in self._positive:
            if posting.merged:
                if self._is_short(posting):
                    return self._walk(posting, self._after)
                continue
            end = self._mark(posting, self._after, cost=self._trial)
            if end is None:
                return self._walk(posting, self._after)
            if mark is not None and self._paths.further(end, mark):
                walked, mark = posting, end
        found = self._walk(walked, self._after, until=mark)
        return found if mark is None or len(found) == self._most else self._rare(walked, mark, found=found)

    def _rare(self, walked: Posting, mark: Place, *, found: list[Place]) -> list[Place]:
        """A page for which the trial gave little: further along the list while that promises to cost less than
        everything, and for a part of that where it will hardly do; then everything."""
        everything, spent = self._paths.about(), self._trial
        end: Place | None = mark
        while end is not None and len(found) < self._most:
            promised = spent * (self._most - len(found)) // len(found) if found else everything
            if spent + promised > everything:
                promised = everything // _FAINT
                if spent > promised:
                    return found + self._everywhere(end, most=self._most - len(found))
            start, end = end, self._mark(walked, end, cost=promised)
            found = found + self._walk(walked, start, until=end, most=self._most - len(found))
            spent += promised
        return found

    def _everywhere(self, after: Place, *, most: int) -> list[Place]:
        """The rows beyond `after`, by what costs the same wherever they are."""
        negative = [posting for posting in self._lists if posting.negate]
        lists = [*(self._positive or [self._everything]), *negative]
        if self._rest or len(lists) > _MERGED or any(posting.merged for posting in lists):
            return self._paths.scan(after, most=most)
        return self._paths.merge(lists, after=after, most=most)

    def _in_other_order(self) -> list[Place]:
        """A short list is sorted; else along the index of the order; else a longer list, or all rows, sorted."""
        for posting in self._positive:
            if self._is_short(posting):
                return self._walk(posting, self._after)
        mark = self._paths.row_mark(self._after, step=self._entries(self._trial, _ROW_BY_KEY))
        found = self._paths.row_walk((self._after, mark), most=self._most)
        if mark is None or len(found) == self._most:
            return found
        missing, everything = self._most - len(found), self._paths.about()
        for posting in self._positive:
            worth = self._entries(everything, self._weight(posting))
            if self._paths.count(posting, worth) < worth:
                return found + self._walk(posting, mark, most=missing)
        return found + self._paths.scan(mark, most=missing)

    def _is_short(self, posting: Posting) -> bool:
        """Whether all of a list costs less than a trial."""
        most = self._entries(self._trial, self._weight(posting))
        return self._paths.count(posting, most) < most

    def _mark(self, posting: Posting, after: Place | None, *, cost: float) -> Place | None:
        """How far one gets along a list for `cost`; None for to its end."""
        return self._paths.mark(posting, after, step=self._entries(cost, self._weight(posting)))

    def _entries(self, cost: float, weight: float) -> int:
        return max(self._most, int(cost / weight))

    def _walk(
        self, posting: Posting, after: Place | None, *, until: Place | None = None, most: int | None = None
    ) -> list[Place]:
        others, rest = self._others(posting)
        return self._paths.walk(posting, others, rest=rest, span=(after, until), most=most or self._most)

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
        return 1 + _PROBE * len(others) + (row if rest or not self._paths.in_own_order else 0)
