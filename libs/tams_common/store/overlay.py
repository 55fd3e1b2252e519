"""Unflushed writes laid over a backend: reads through it see them."""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any

from tams_common.store.buffer import Buffers, TableBuffer
from tams_common.store.evaluation import Place, meets, place
from tams_common.store.layout import AnyLayout, Layouts
from tams_common.store.port import Page, Query
from tams_common.store.snapshot import Backend
from tams_common.store.table import AnyTable, Key, R, Table
from tams_common.store.where import Scalar


class Overlay:
    """A backend that shows the rows of `buffers` in place of those below. Overlays stack."""

    def __init__(self, layouts: Layouts, below: Backend) -> None:
        self._layouts = layouts
        self._below = below
        self.buffers: Buffers = {}

    def fetch(self, table: Table[R], keys: Sequence[Key]) -> dict[Key, R]:
        """As `Backend.fetch`."""
        buffer: TableBuffer[R] | None = self.buffers.get(table.name)
        if buffer is None:
            return self._below.fetch(table, keys)
        written = buffer.rows
        unwritten = [key for key in keys if key not in written]
        found = self._below.fetch(table, unwritten) if unwritten else {}
        for key in keys:
            row = written.get(key)
            if row is not None:
                found[key] = row
        return found

    def fetch_page(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """As `Backend.fetch_page`."""
        buffer = self.buffers.get(table.name)
        if buffer is None:
            return self._below.fetch_page(table, columns, query=query)
        return _Merge(self._layouts.of(table), columns, query=query).page(buffer, self._below)


class Remembering:
    """A backend that asks the one below only once for a row: within one snapshot the answer cannot change."""

    def __init__(self, below: Backend) -> None:
        self._below = below
        self._known: dict[str, dict[Key, Any]] = {}

    def fetch(self, table: Table[R], keys: Sequence[Key]) -> dict[Key, R]:
        """As `Backend.fetch`."""
        known: dict[Key, R | None] = self._known.setdefault(table.name, {})
        unknown = [key for key in keys if key not in known]
        if unknown:
            self.learn(table, unknown, rows=self._below.fetch(table, unknown))
        return {key: row for key in keys if (row := known[key]) is not None}

    def learn(self, table: Table[R], keys: Sequence[Key], *, rows: Mapping[Key, R]) -> None:
        """Remembers that of `keys` there are only `rows`."""
        known = self._known.setdefault(table.name, {})
        known.update(dict.fromkeys(keys))
        known.update(rows)

    def fetch_page(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """As `Backend.fetch_page`."""
        return self._below.fetch_page(table, columns, query=query)


class _Merge:
    """One page made of rows from below and written rows, in order."""

    def __init__(self, layout: AnyLayout, columns: Sequence[str], *, query: Query) -> None:
        self._layout = layout
        self._query = query
        self._width = len(columns)
        # Rows from below are told apart by key and put in order by the order columns, which end with the key.
        self._columns = (*columns, *(name for name in query.order if name not in columns))
        self._key = [self._columns.index(name) for name in layout.table.key]
        self._order = [self._columns.index(name) for name in query.order]

    def page(self, buffer: TableBuffer[Any], below: Backend) -> Page[tuple[Scalar, ...]]:
        query = self._query
        limit = None if query.limit is None else query.limit + buffer.hides()
        asked = Query(query.where, query.order, query.after, limit, query.reverse, query.width)
        page = below.fetch_page(self._layout.table, self._columns, query=asked)
        rows = [row for row in page.rows if tuple(row[at] for at in self._key) not in buffer.rows]
        rows += self._written(buffer)
        rows.sort(key=self._place, reverse=query.reverse)
        more = page.more
        if query.limit is not None and len(rows) > query.limit:
            more = True
            del rows[query.limit :]
        return Page([row[: self._width] for row in rows], more, page.width)

    def _written(self, buffer: TableBuffer[Any]) -> list[tuple[Scalar, ...]]:
        query = self._query
        values = attrgetter(*self._columns) if len(self._columns) > 1 else lambda row: (getattr(row, self._columns[0]),)
        rows = [values(row) for row in buffer.rows.values() if row is not None and meets(row, query.where)]
        if query.after is None:
            return rows
        after = place(query.after)
        return [row for row in rows if (self._place(row) < after if query.reverse else self._place(row) > after)]

    def _place(self, row: tuple[Scalar, ...]) -> Place:
        return place(row[at] for at in self._order)
