"""One SQLite connection as a backend of the store."""

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec

from tams_common.errors import Conflict, InvalidInput
from tams_common.store.buffer import AnyChanges
from tams_common.store.layout import AnyLayout
from tams_common.store.port import Page, Query
from tams_common.store.snapshot import Snapshot
from tams_common.store.sqlite.conditions import padded, where_clause
from tams_common.store.sqlite.database import Database
from tams_common.store.sqlite.paths import Paths
from tams_common.store.sqlite.postings import Postings
from tams_common.store.sqlite.search import Search
from tams_common.store.sqlite.sql import quoted
from tams_common.store.sqlite.upkeep import Upkeep
from tams_common.store.sqlite.walks import walks
from tams_common.store.table import AnyTable, Key, R, Table
from tams_common.store.where import Scalar

T = TypeVar("T")

_KEYS_AT_ONCE: Final = 512
_ALL: Final = -1


class Session:
    """Fetches and flushes on `connection`, within a transaction that is open on it."""

    def __init__(self, database: Database, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._cursor = connection.cursor()
        self._database = database
        self._layouts = database.layouts
        self._reader = Snapshot(database.layouts, self)
        self._lists = {name: Postings(layout) for name, layout in database.layouts.named().items() if layout.tokens}

    def read(self, fn: Callable[[Snapshot], T]) -> T:
        """What `fn` makes of one snapshot."""
        self.execute("BEGIN")
        try:
            return fn(self._reader)
        finally:
            self.roll_back()

    def execute(self, text: str, values: Sequence[Scalar] = ()) -> list[tuple[Any, ...]]:
        """Runs one statement; sqlite3's errors come out as the house's."""
        try:
            return self._cursor.execute(text, values).fetchall()
        except sqlite3.Error as error:
            raise self._database.translated(error) from error
        except OverflowError as error:
            raise InvalidInput(f"{self._database.name}: a value lies outside the integers of 64 bits") from error

    def roll_back(self) -> None:
        """Ends the transaction without effect; after some failures SQLite has done so itself."""
        if self.connection.in_transaction:
            self.execute("ROLLBACK")

    def fetch(self, table: Table[R], keys: Sequence[Key]) -> dict[Key, R]:
        """As `Backend.fetch`."""
        layout = self._layouts.of(table)
        texts = self._database.texts[table.name]
        if len(keys) == 1:
            rows = self.execute(texts.get, keys[0])
            return {keys[0]: layout.make(_with_bools(layout, layout.names, rows=rows)[0])} if rows else {}
        rows = []
        for start in range(0, len(keys), _KEYS_AT_ONCE):
            some = padded(keys[start : start + _KEYS_AT_ONCE])
            rows += self.execute(texts.get_many(len(some)), [value for key in some for value in key])
        made = list(map(layout.make, _with_bools(layout, layout.names, rows=rows)))
        return dict(zip(layout.keys_of(made), made, strict=True))

    def fetch_page(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """As `Backend.fetch_page`."""
        layout = self._layouts.of(table)
        texts = self._database.texts[table.name]
        names = tuple(columns)
        if layout.tokens and query.where and query.limit and _never_null(layout, query.order):
            return self._found_page(layout, names, query=query)
        limit = query.limit
        select, order = texts.select(names), texts.order_by(query.order, reverse=query.reverse)
        select += self._along(layout, query.order)
        rows: list[tuple[Any, ...]] = []
        for part in walks(layout, query):
            where, values = where_clause(layout, part)
            values.append(_ALL if limit is None else limit + 1 - len(rows))
            rows += self.execute(select + where + order, values)
            if limit is not None and len(rows) > limit:
                break
        rows = _with_bools(layout, names, rows=rows)
        if limit is None or len(rows) <= limit:
            return Page(rows)
        del rows[limit:]
        return Page(rows, more=True)

    def _along(self, layout: AnyLayout, order: tuple[str, ...]) -> str:
        """Has SQLite walk along the projection in whose order a windowed table is asked for, if that is enabled.

        Left to itself it takes the key wherever the query fixes some of that, and passes rows of any number.
        """
        projection = layout.projection_of(order) if layout.windowed else None
        if projection is None:
            return ""
        index = self._database.texts[layout.table.name].projection_index(projection.name)
        found = self.execute("SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = ?", (index,))
        return f" INDEXED BY {quoted(index)}" if found else ""

    def _found_page(self, layout: AnyLayout, names: tuple[str, ...], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """A filtered page of a table with tokens: its places first, then what else is asked of them."""
        paths = Paths(self, layout, query=query)
        places = Search(paths, self._lists[layout.table.name], query=query).places()
        limit = query.limit or 0
        rows = _with_bools(layout, query.order, rows=places[:limit])
        return Page(self._cells(layout, names, rows=rows, order=query.order), more=len(places) > limit)

    def _cells(
        self, layout: AnyLayout, names: tuple[str, ...], *, rows: list[tuple[Any, ...]], order: tuple[str, ...]
    ) -> list[tuple[Scalar, ...]]:
        """The columns `names` of the rows whose `order` columns are known."""
        if names == order:
            return rows
        if set(names) <= set(order):
            return [tuple(row[order.index(name)] for name in names) for row in rows]
        keys = [tuple(row[order.index(name)] for name in layout.table.key) for row in rows]
        found = self.fetch(layout.table, keys)
        return [tuple(getattr(found[key], name) for name in names) for key in keys]

    def flush(self, changes: Iterable[AnyChanges]) -> None:
        """Writes `changes`; `Conflict` for an insert of a key that exists and an update of one that does not.

        Touches need no writing: whoever flushes holds the one write lock since before the first read.
        """
        for change in changes:
            texts = self._database.texts[change.table.name]
            lists = self._lists.get(change.table.name)
            if lists is not None:
                layout = self._layouts.of(change.table)
                keys = [*change.deletes, *layout.keys_of(change.updates)]
                upkeep = Upkeep(layout, texts, tokens=lists.tokens, run=self._execute_many)
                upkeep.flush(change, self.fetch(change.table, keys) if keys else {})
                continue
            self._execute_many(texts.delete, change.deletes)
            self._execute_many(texts.insert, list(map(msgspec.structs.astuple, change.inserts)))
            updated = self._execute_many(texts.update, list(map(texts.update_values, change.updates)))
            if updated != len(change.updates):
                raise Conflict(f"table {change.table.name}: a row to update is gone")

    def _execute_many(self, text: str, rows: Sequence[tuple[Scalar, ...]]) -> int:
        if not rows:
            return 0
        try:
            return self._cursor.executemany(text, rows).rowcount
        except sqlite3.Error as error:
            raise self._database.translated(error) from error


def _never_null(layout: AnyLayout, names: Iterable[str]) -> bool:
    return not any(layout.by_name[name].nullable for name in names)


def _with_bools(layout: AnyLayout, names: tuple[str, ...], *, rows: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """`rows` of columns `names` with the bools that SQLite keeps as integers."""
    places = layout.bool_places(names)
    if not places:
        return rows
    cells = [list(row) for row in rows]
    for row in cells:
        for at in places:
            if row[at] is not None:
                row[at] = row[at] == 1
    return list(map(tuple, cells))
