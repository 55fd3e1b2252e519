"""Rows that are asked by windows, and counted: in no order, and of a full window only some, chosen by whim."""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from random import Random
from typing import Final, TypeAlias

import msgspec

from tams_common.store import Page, Query, Scalar, Table, Windowed, eq
from tams_common.store.layout import Layout
from tams_common.store.scans import resolve
from tams_common.store.windows import Window, read_page

Row: TypeAlias = tuple[int, str]
Whim: TypeAlias = Callable[[range, int], Sequence[int]]
"""Which rows of a window come when there are more than it may hold."""


class Moment(msgspec.Struct, frozen=True):
    flow: str
    at: int
    id: str


MOMENTS: Final = Table("moments", Moment, key=("flow", "at", "id"), sort=("flow", "at"), paging=Windowed())
STARTS: Final = Table("starts", Moment, key=("flow", "at"), paging=Windowed())
NAMES: Final = Table("names", Moment, key=("flow", "id"), paging=Windowed())
FLOW: Final = eq("flow", "f")

WHIMS: Final[dict[str, Whim]] = {
    "oldest": lambda rows, most: rows[:most],
    "newest": lambda rows, most: rows[-most:],
    "spread": lambda rows, most: rows[:: max(len(rows) // most, 1)][:most],
    "inner": lambda rows, most: rows[(len(rows) - most) // 2 :][:most],
    "random": lambda rows, most: Random(len(rows)).sample(rows, most),
}


class Rows:
    """Rows in order, the windows asked of them, and how many rows came of these."""

    def __init__(self, rows: Sequence[Row], *, table: Table[Moment] = STARTS, whim: str = "oldest") -> None:
        self.rows = rows
        self.layout = Layout(table)
        self.windows: list[Window] = []
        self.came = 0
        self._whim = WHIMS[whim]
        self._cell: Callable[[Row], int | str] = (lambda row: row[1]) if table is NAMES else (lambda row: row[0])

    def page(self, query: Query) -> Page[Row]:
        """The page of `query`, whose conditions are FLOW and bounds of the window column."""
        self.windows, self.came = [], 0
        resolved = resolve(self.layout, query)
        cells: dict[str, Callable[[Row], Scalar]] = {
            "flow": lambda _: "f",
            "at": lambda row: row[0],
            "id": lambda row: row[1],
        }

        def order_of(row: Row) -> list[Scalar]:
            return [cells[name](row) for name in resolved.order]

        return read_page(self.layout, resolved, fetch=self._fetch, order_of=order_of)

    def _fetch(self, window: Window) -> Sequence[Row]:
        self.windows.append(window)
        low = 0 if window.low is None else bisect_left(self.rows, window.low, key=self._cell)
        high = len(self.rows) if window.high is None else bisect_right(self.rows, window.high, key=self._cell)
        places: Sequence[int] = range(low, high)
        if window.most is not None and high - low > window.most:
            places = self._whim(range(low, high), window.most + 1)
        self.came += len(places)
        found = [self.rows[place] for place in places]
        found.reverse()
        return found
