"""Pages from a database that knows no order: what a filter leaves, sorted here; long tables by windows."""

import heapq
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final, Protocol, TypeAlias

from tams_common.store.evaluation import Place, holds, place
from tams_common.store.port import Page, Query
from tams_common.store.scans import fixed_columns
from tams_common.store.table import AnyTable, Key
from tams_common.store.vast.link import LOOKUP, SCAN, Answer, Ask
from tams_common.store.vast.stored import Stored
from tams_common.store.where import Condition, Contains, Scalar, ge, le
from tams_common.store.windows import Window, read_page

Cells: TypeAlias = tuple[Any, ...]

_HEAP_WORTH: Final = 4
"""A heap is faster than sorting all when there are so many times more rows than are wanted."""


class Source(Protocol):
    """The transaction that a page is read in."""

    def ask(self, ask: Ask) -> Answer:
        """Queries within the transaction."""
        ...

    def find(self, table: AnyTable, keys: Sequence[Key], *, columns: Sequence[str]) -> dict[Key, Cells]:
        """`columns` of the rows that exist among `keys`."""
        ...


class Paging:
    """A page of `columns` of a table."""

    def __init__(self, source: Source, stored: Stored, *, columns: Sequence[str], query: Query) -> None:
        self._source = source
        self._stored = stored
        self._columns = columns
        self._query = query
        order = query.order
        self._key = picker(order, stored.layout.table.key)
        # The order columns come first, so that a row is placed by its beginning whether its body came with it or not.
        self._whole = tuple(dict.fromkeys((*order, *columns)))
        self._order_of: Callable[[Cells], Cells] = picker(self._whole, order)
        self._cells_of = picker(self._whole, columns)

    def page(self) -> Page[tuple[Scalar, ...]]:
        """The page, with the hint for the next one."""
        layout = self._stored.layout
        page = (
            read_page(layout, self._query, fetch=self._window, order_of=self._order_of)
            if layout.windowed
            else self._small()
        )
        return Page(self._bodies(page.rows), page.more, page.width)

    def _window(self, window: Window) -> list[Cells]:
        """The rows of a window; of a bare one, their order columns."""
        where = (*self._query.where, *window.conditions)
        columns = self._query.order if window.bare else self._whole
        if window.most is None:
            return self._source.ask(Ask(self._stored, columns, where, SCAN)).rows
        return self._source.ask(Ask(self._stored, columns, where, LOOKUP, window.most + 1)).rows

    def _small(self) -> Page[Cells]:
        """The order columns of all that the filter leaves beyond the position, and the first of them."""
        query = self._query
        columns = self._whole if query.limit is None else query.order
        rows = self._meeting((*query.where, *_beyond(self._stored, query)), columns)
        if query.after is not None:
            after = place(query.after)
            rows = [row for row in rows if (self._place(row) < after if query.reverse else self._place(row) > after)]
        limit = query.limit
        if limit is None:
            return Page(sorted(rows, key=self._place, reverse=query.reverse))
        if _HEAP_WORTH * limit > len(rows):
            first = sorted(rows, key=self._place, reverse=query.reverse)
        else:
            first = (heapq.nlargest if query.reverse else heapq.nsmallest)(limit + 1, rows, key=self._place)
        return Page(first[:limit], more=len(first) > limit)

    def _meeting(self, where: Sequence[Condition], columns: tuple[str, ...]) -> list[Cells]:
        """`columns` of all rows that meet `where`: what VAST DB cannot evaluate is asked of the rows that it sends."""
        ours = [condition for condition in where if type(condition) is Contains and condition.negate]
        if not ours:
            return self._source.ask(Ask(self._stored, columns, tuple(where), SCAN)).rows
        names = tuple(dict.fromkeys((*columns, *(condition.column for condition in ours))))
        theirs = tuple(condition for condition in where if condition not in ours)
        checks = [(names.index(condition.column), condition) for condition in ours]
        rows = self._source.ask(Ask(self._stored, names, theirs, SCAN)).rows
        return [row[: len(columns)] for row in rows if all(holds(row[at], condition) for at, condition in checks)]

    def _bodies(self, rows: Sequence[Cells]) -> list[Cells]:
        """`rows` as they were asked for: those without their bodies get them by key."""
        width = len(self._whole)
        bare = [self._key(row) for row in rows if len(row) < width]
        bodies = self._source.find(self._stored.layout.table, bare, columns=self._columns) if bare else {}
        return [self._cells_of(row) if len(row) == width else bodies[self._key(row)] for row in rows]

    def _place(self, row: Cells) -> Place:
        return place(self._order_of(row))


def picker(names: Sequence[str], columns: Sequence[str]) -> Callable[[Cells], Cells]:
    """How a row of `names` becomes one of `columns`."""
    places = [names.index(column) for column in columns]
    if len(places) == 1:
        [only] = places
        return lambda row: (row[only],)
    return itemgetter(*places) if places else lambda _: ()


def _beyond(stored: Stored, query: Query) -> tuple[Condition, ...]:
    """What the rows beyond the position have in common: the server need not send the others."""
    fixed = fixed_columns(query.where)
    for name, value in zip(query.order, query.after or (), strict=False):
        if name in fixed:
            continue
        if stored.layout.by_name[name].nullable or not isinstance(value, int | str) or isinstance(value, bool):
            return ()
        return (le(name, value),) if query.reverse else (ge(name, value),)
    return ()
