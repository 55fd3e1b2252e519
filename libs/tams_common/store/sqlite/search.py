"""Pages of a table with tokens under filters: through the shortest list that an index has, or over all narrow rows.

No one statement is good for every filter, and SQLite keeps no statistics of single values. So lists are measured where
the page begins, and what was begun is given up when it has cost as much as reading everything does (ADR 0013).
"""

from collections.abc import Sequence
from typing import Final

from tams_common.store.port import Query
from tams_common.store.sqlite.paths import Paths, Place
from tams_common.store.sqlite.postings import Posting, Postings
from tams_common.store.where import Condition

STEP: Final = 1000
"""Entries that are tried before anything is weighed: about a millisecond."""
_FAINT: Final = 3
"""Where a list promises little it is tried for this part of what the other ways cost."""
_PROBE: Final = 2.5
_ROW_BY_KEY: Final = 12.0
_OWN_ROW: Final = 3.0
_NEXT_ROW: Final = 1.5
"""What a look into another list, and three ways to the row of an entry, cost in rows read one after the other."""
_MERGED: Final = 2
"""So many lists are gone through side by side for less than all rows are read."""


class Search:
    """One page, with one row more than its limit, of a query whose order columns are never null."""

    def __init__(self, paths: Paths, postings: Postings, *, query: Query, step: int = STEP) -> None:
        found = [(condition, postings.of(condition)) for condition in query.where]
        self._paths = paths
        self._everything = postings.everything
        self._where = query.where
        self._after = query.after
        self._lists = [posting for _, posting in found if posting is not None]
        self._positive = [posting for posting in self._lists if not posting.negate]
        self._rest = [condition for condition, posting in found if posting is None]
        self._most = (query.limit or 0) + 1
        self._step = max(step, self._most)

    def places(self) -> list[Place]:
        """The order columns of the rows, in order."""
        return self._in_own_order() if self._paths.in_own_order else self._in_other_order()

    def _in_own_order(self) -> list[Place]:
        """Along the list that reaches furthest with the same number of entries: it is the shortest from here on."""
        if not self._rest and len(self._lists) == len(self._positive) == 1 and not self._lists[0].merged:
            return self._walk(self._lists[0], self._after)
        if (short := self._short(merged=True)) is not None:
            return self._walk(short, self._after)
        walked, mark = self._everything, self._paths.mark(self._everything, self._after, step=self._step)
        for posting in self._positive:
            if posting.merged:
                continue
            end = self._paths.mark(posting, self._after, step=self._step)
            if end is None:
                return self._walk(posting, self._after)
            if mark is not None and self._paths.further(end, mark):
                walked, mark = posting, end
        found = self._walk(walked, self._after, until=mark)
        if mark is None or len(found) == self._most:
            return found
        return found + self._rare(walked, mark, found=len(found))

    def _rare(self, walked: Posting, mark: Place, *, found: int) -> list[Place]:
        """The rest of a page for which the first entries gave little: further along the list, for as much as going
        through everything costs, for a part of that where it will hardly do; then everything."""
        missing = self._most - found
        reach = self._paths.about() / self._weight(walked)
        if found * reach < missing * self._step:
            reach /= _FAINT
        end = self._paths.mark(walked, mark, step=max(self._step, int(reach)))
        rows = self._walk(walked, mark, until=end, most=missing)
        if end is None or len(rows) == missing:
            return rows
        return rows + self._everywhere(end, most=missing - len(rows))

    def _everywhere(self, after: Place, *, most: int) -> list[Place]:
        """The rows beyond `after`, by what costs the same wherever they are."""
        negative = [posting for posting in self._lists if posting.negate]
        lists = [*(self._positive or [self._everything]), *negative]
        if self._rest or len(lists) > _MERGED or any(posting.merged for posting in lists):
            return self._paths.scan(after, most=most)
        return self._paths.merge(lists, after=after, most=most)

    def _in_other_order(self) -> list[Place]:
        """A short list is sorted; else along the index of the order; else a longer list, or all rows, sorted."""
        if (short := self._short()) is not None:
            return self._walk(short, self._after)
        mark = self._paths.row_mark(self._after, step=self._step)
        found = self._paths.row_walk((self._after, mark), most=self._most)
        if mark is None or len(found) == self._most:
            return found
        missing = self._most - len(found)
        rows = self._paths.about()
        for posting in self._positive:
            worth = int(rows / (_OWN_ROW if posting.own else _ROW_BY_KEY))
            if self._paths.count(posting, worth) < worth:
                return found + self._walk(posting, mark, most=missing)
        return found + self._paths.scan(mark, most=missing)

    def _short(self, *, merged: bool = False) -> Posting | None:
        """A list of less than a step; only among `merged` ones, if so said."""
        lists = [posting for posting in self._positive if posting.merged or not merged]
        return next((posting for posting in lists if self._paths.count(posting, self._step) < self._step), None)

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
            return (), self._where
        return others, self._rest

    def _weight(self, walked: Posting) -> float:
        """What an entry of a list costs, in rows read one after the other."""
        others, rest = self._others(walked)
        row = _NEXT_ROW if walked == self._everything else _OWN_ROW if walked.own else _ROW_BY_KEY
        return 1 + _PROBE * len(others) + (row if rest else 0)
