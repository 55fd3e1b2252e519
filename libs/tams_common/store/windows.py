"""Pages of a windowed table where the database knows no order and no first rows: read by windows over one column.

A request is a window `low <= column <= high`; its rows come in any order and are sorted here. The first window is as
wide as the hint says. If it holds too little, a further one takes all the rest; if a window holds more than its cap,
what came of it tells how to narrow it, however the rows are spread and whichever of them the database chose to send.

The windows of a page, with n rows that meet the query, a cap C of at least `FEWEST`, and any hint: at most 3 if n <= C,
and 2 if n <= 2; beyond that at most 2·log2(n) over integers and 2 + log2(n / C) over text. No extent need be known.
"""

from collections.abc import Callable, Iterable, Sequence
from math import isqrt
from typing import Final, Generic, TypeAlias, TypeVar

import msgspec

from tams_common.store.column import INT_MAX, INT_MIN
from tams_common.store.evaluation import Place, place
from tams_common.store.layout import AnyLayout
from tams_common.store.port import Page, Query
from tams_common.store.scans import fixed_columns
from tams_common.store.where import Between, Compare, Condition, Scalar, ge, le

T = TypeVar("T")

FEWEST: Final = 448
"""The cap of a page's first windows, unless its limit asks for more."""

_PATIENCE: Final = 14
"""Windows with the first cap; then it doubles with every second one, and so reaches n before 2·log2(n) windows."""
_EVIDENCE: Final = 8
"""With so many rows, a window that held too little tells how wide the next one should be."""

_LEAPS: Final = 3
"""How many times a leap over empty time may end among rows before a page takes steps instead."""


def window_width(limit: int, *, count: int, first: int, last: int) -> int:
    """The hint (`Query.width`) for a page of `limit` of the `count` rows between `first` and `last`; 0 for none."""
    return max(_ample(limit + 1) * (last - first) // count, 0) if count else 0


def bounds(column: str, query: Query) -> tuple[int, int]:
    """Between which integers, both included, the comparisons of `query` hold `column`."""
    low, high = INT_MIN, INT_MAX
    for condition in query.where:
        match condition:
            case Compare(column=name, op=op, value=int(value)) if name == column:
                low = max(low, value + (op == ">")) if op in {">", ">="} else low
                high = min(high, value - (op == "<")) if op in {"<", "<="} else high
            case Between(column=name, low=int(least), high=int(most)) if name == column:
                low, high = max(low, least), min(high, most)
    return low, high


class Window(msgspec.Struct, frozen=True):
    """One request: rows whose `column` lies between `low` and `high`, both included; None for no bound.

    The database may stop after `most` + 1 rows, whichever they are (None: it may not). Of a `bare` window the order
    columns are enough: it may hold many rows, of which few come into the page; their other columns are read by key.
    """

    column: str
    low: int | str | None = None
    high: int | str | None = None
    most: int | None = None
    bare: bool = False

    @property
    def conditions(self) -> tuple[Condition, ...]:
        """The window as conditions, to be added to the query's own."""
        low, high = self.low, self.high
        if low is None:
            return () if high is None else (le(self.column, high),)
        return (ge(self.column, low),) if high is None else (Between(self.column, low, high),)


Fetch: TypeAlias = Callable[[Window], Sequence[T]]


def read_page(
    layout: AnyLayout, query: Query, *, fetch: Fetch[T], order_of: Callable[[T], Iterable[Scalar]]
) -> Page[T]:
    """The page that `query`, which is resolved, asks of a windowed table.

    `fetch` returns the rows of a window that meet the query's conditions, all windows within one snapshot; `order_of`
    tells a row's values of `query.order`.
    """
    fixed = fixed_columns(query.where)
    free = [name for name in query.order if name not in fixed]
    column = free[0] if free else query.order[-1]
    gathered = _Gathered(query, at=query.order.index(column), order_of=order_of)
    kind = layout.column(column)
    if not free or kind.nullable or kind.kind not in {"int", "str"} or query.limit is None:
        gathered.add(fetch(Window(column)))
    elif kind.kind == "int":
        _Numbers(column, query, gathered=gathered, ties=len(free) > 1).read(fetch)
    else:
        _read_text(column, query, gathered=gathered, fetch=fetch)
    return gathered.page()


class _Gathered(Generic[T]):
    """The rows of a page so far, without those up to the position that it goes on from."""

    def __init__(self, query: Query, *, at: int, order_of: Callable[[T], Iterable[Scalar]]) -> None:
        self._query = query
        self._at = at
        self._order_of = order_of
        self._after = None if query.after is None else place(query.after)
        self._rows: list[tuple[Place, T]] = []

    @property
    def missing(self) -> int:
        """How many rows are still needed to fill the page and to know whether there are more."""
        return (self._query.limit or 0) + 1 - len(self._rows)

    def add(self, rows: Iterable[T]) -> int:
        """Takes rows that all come after those taken before; returns how many there were."""
        placed = self._beyond(rows)
        self._rows += placed
        return len(placed)

    def values(self, rows: Iterable[T]) -> list[int | str]:
        """The window column of `rows`, in the order of the page."""
        return [placed[0][self._at][1] for placed in self._beyond(rows)]

    def page(self) -> Page[T]:
        """The page, with a hint for the next."""
        limit = self._query.limit
        rows = [row for _, row in self._rows]
        if limit is None:
            return Page(rows)
        return Page(rows[:limit], more=len(rows) > limit, width=self._width(limit))

    def _beyond(self, rows: Iterable[T]) -> list[tuple[Place, T]]:
        after, reverse = self._after, self._query.reverse
        placed = [(place(self._order_of(row)), row) for row in rows]
        if after is not None:
            placed = [pair for pair in placed if (pair[0] < after if reverse else pair[0] > after)]
        placed.sort(key=lambda pair: pair[0], reverse=reverse)
        return placed

    def _width(self, limit: int) -> int:
        values: list[int | str] = [placed[self._at][1] for placed, _ in self._rows[: limit + 1]]
        numbers = [value for value in values if isinstance(value, int)]
        if not numbers or numbers[0] == numbers[-1]:
            return self._query.width
        return _ample(limit + 1) * abs(numbers[-1] - numbers[0]) // (len(numbers) - 1)


class _Numbers(Generic[T]):
    """Windows over an integer column, from the `near` end of what is not read yet to the `far` one.

    Numbers are negated in reverse, so that a page always goes upwards. `crowded`, once known, is an edge up to which
    there are more rows than are missing: nothing beyond it is needed.
    """

    def __init__(self, column: str, query: Query, *, gathered: _Gathered[T], ties: bool) -> None:
        self._column = column
        self._gathered = gathered
        self._sign = sign = -1 if query.reverse else 1
        low, high = bounds(column, query)
        self._near, self._far = sorted((sign * low, sign * high)) if low <= high else (0, -1)
        if query.after is not None:
            reached = query.after[query.order.index(column)]
            if isinstance(reached, int):
                self._near = max(self._near, sign * reached + (0 if ties else 1))
        self._crowded: int | None = None
        self._usual = 1
        self._leaps, self._leapt = _LEAPS, False
        self._asked = 0
        self._cap = _cap(gathered.missing)
        self._edge = self._within(query.width)

    def read(self, fetch: Fetch[T]) -> None:
        """Gathers what the page needs."""
        while self._near <= self._far and self._gathered.missing > 0:
            window = self._window()
            rows = fetch(window)
            self._asked += 1
            if window.most is not None and len(rows) > window.most:
                self._narrow([self._sign * int(value) for value in self._gathered.values(rows)])
            else:
                self._go_on(self._gathered.add(rows))

    def _window(self) -> Window:
        low, high = sorted((self._sign * self._near, self._sign * self._edge))
        if self._near == self._edge == self._crowded:
            # Rows that tie: no window is narrower.
            return Window(self._column, low, high, bare=True)
        doublings = max(self._asked - _PATIENCE + 2, 0) // 2
        return Window(self._column, low, high, self._cap << doublings, bare=doublings > 0)

    def _narrow(self, sample: Sequence[int]) -> None:
        """After a window with more rows than its cap, of which `sample` is some."""
        missing = self._gathered.missing
        crowded = sample[missing - 1] if len(sample) >= missing else self._edge
        helped = self._crowded is None or crowded - self._near <= (self._edge - self._near) // 2
        if len(sample) > 1:
            self._usual = max(_ample(missing) * (sample[-1] - sample[0]) // (len(sample) - 1), 1)
        self._leaps -= self._leapt
        self._leapt = False
        self._crowded = crowded
        # A database that sends the first rows of a full window has then sent the page.
        self._edge = crowded if helped else min(self._within(self._usual), self._middle(crowded))

    def _go_on(self, count: int) -> None:
        """After a window of which all rows, `count`, are gathered."""
        width = self._edge - self._near + 1
        crowded, self._near = self._crowded, self._edge + 1
        if crowded is not None and crowded >= self._near:
            self._leapt = count == 0 and self._leaps > 0
            if self._asked >= _PATIENCE:
                self._edge = crowded
            elif self._leapt:
                # From the end of time to where rows are: halves the digits of the distance, not the distance.
                self._edge = max(crowded - isqrt(self._usual * (crowded - self._near)), self._near)
            else:
                self._edge = self._middle(crowded)
        elif self._asked == 1 and count >= _EVIDENCE:
            self._edge = self._within(_ample(self._gathered.missing) * width // count)
        else:
            self._edge = self._far

    def _within(self, width: int) -> int:
        """The last number of a window of `width`; of all that is left, without one."""
        return min(self._near + width - 1, self._far) if width > 0 else self._far

    def _middle(self, edge: int) -> int:
        return self._near + (edge - self._near) // 2


def _read_text(column: str, query: Query, *, gathered: _Gathered[T], fetch: Fetch[T]) -> None:
    """Windows over a text column: narrowed to what came of the one before, each with twice its cap."""
    low: int | str | None = None
    high: int | str | None = None
    if query.after is not None:
        reached = str(query.after[query.order.index(column)])
        low, high = (None, reached) if query.reverse else (reached, None)
    first = most = _cap(gathered.missing)
    while True:
        rows = fetch(Window(column, low, high, most, bare=most > first))
        if len(rows) <= most:
            gathered.add(rows)
            return
        sample = gathered.values(rows)
        if len(sample) >= gathered.missing:
            edge = sample[gathered.missing - 1]
            low, high = (edge, high) if query.reverse else (low, edge)
        most *= 2


def _ample(rows: int) -> int:
    """How many rows a window is made for in which `rows` are wanted."""
    return rows + rows // 4 + 8


def _cap(missing: int) -> int:
    return max(FEWEST, 2 * _ample(missing))
