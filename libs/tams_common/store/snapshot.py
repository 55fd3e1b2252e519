"""A `Reader` over what an adapter can fetch, for reads and as the ground of transactions."""

from collections.abc import Iterable, Sequence
from typing import Protocol

from tams_common.store.layout import Layouts
from tams_common.store.port import Page, Query
from tams_common.store.scans import resolve
from tams_common.store.table import AnyTable, Key, R, Table
from tams_common.store.where import Scalar


class Backend(Protocol):
    """What an adapter can do within one snapshot."""

    def fetch(self, table: Table[R], keys: Sequence[Key]) -> dict[Key, R]:
        """The rows that exist among `keys`, any number of them."""
        ...

    def fetch_page(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """`columns` of the rows that meet `query`, which is resolved: its order is total and `after` fits it."""
        ...


class Snapshot:
    """Reads with the port's words and checks."""

    def __init__(self, layouts: Layouts, backend: Backend) -> None:
        self._layouts = layouts
        self._backend = backend

    def get(self, table: Table[R], key: Key) -> R | None:
        """The row with `key`, or None."""
        self._layouts.of(table).check_key(key)
        return self._backend.fetch(table, (key,)).get(key)

    def get_many(self, table: Table[R], keys: Iterable[Key]) -> dict[Key, R]:
        """The rows that exist among `keys` (any number), by key."""
        different = list(dict.fromkeys(keys))
        self._layouts.of(table).check_keys(different)
        return self._backend.fetch(table, different)

    def scan(self, table: Table[R], query: Query) -> Page[R]:
        """Whole rows that meet `query`."""
        layout = self._layouts.of(table)
        page = self._backend.fetch_page(table, layout.names, query=resolve(layout, query))
        return Page(list(map(layout.make, page.rows)), page.more, page.width)

    def select(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """Only `columns` of the rows that meet `query`."""
        layout = self._layouts.of(table)
        for column in columns:
            layout.column(column)
        return self._backend.fetch_page(table, columns, query=resolve(layout, query))
