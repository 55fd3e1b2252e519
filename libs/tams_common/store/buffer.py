"""The writes of a transaction to one table, folded by key until they are flushed."""

from collections.abc import Sequence
from typing import Any, Generic, TypeAlias

import msgspec

from tams_common.store.table import AnyTable, Key, R


class Changes(msgspec.Struct, Generic[R], frozen=True):
    """What one commit does to one table. Deletes come first: a key may be deleted and inserted anew.

    `touches` are rows to be written unchanged, for adapters whose writers do not wait for each other.
    """

    table: AnyTable
    deletes: list[Key]
    inserts: list[R]
    updates: list[R]
    touches: list[R]

    @property
    def empty(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.deletes or self.inserts or self.updates or self.touches)


AnyChanges: TypeAlias = Changes[Any]


class TableBuffer(Generic[R]):
    """What a transaction makes of a table.

    `rows` holds what each written key now shows: its row, or None when it is gone. Of these, `inserted` are new to the
    table below, and `deleted` are to be removed from it, be it to make room for an inserted one.
    """

    __slots__ = ("deleted", "inserted", "rows", "table", "touched")

    def __init__(self, table: AnyTable) -> None:
        self.table = table
        self.rows: dict[Key, R | None] = {}
        self.inserted: set[Key] = set()
        self.deleted: set[Key] = set()
        self.touched: dict[Key, R] = {}

    def insert(self, keys: Sequence[Key], rows: Sequence[R]) -> None:
        """Adds rows whose keys show no row in this buffer (the caller knows)."""
        self.rows.update(zip(keys, rows, strict=True))
        self.inserted.update(keys)

    def delete(self, key: Key) -> None:
        """Removes a row: one inserted here vanishes."""
        if key in self.inserted:
            self.inserted.remove(key)
        else:
            self.deleted.add(key)
        self.rows[key] = None

    def writes(self, key: Key) -> bool:
        """Whether the row `key` is inserted, updated or touched here."""
        return key in self.touched or self.rows.get(key) is not None

    def hides(self) -> int:
        """The most rows of the table below that a scan has to skip because of this buffer."""
        return len(self.rows) - len(self.inserted) + len(self.deleted & self.inserted)

    def absorb(self, later: "TableBuffer[R]") -> None:
        """Folds in the writes of a transaction that ran on top of this one."""
        for key in later.deleted:
            self.delete(key)
        for key, row in later.rows.items():
            if row is not None or key not in later.deleted:
                self.rows[key] = row
        self.inserted |= later.inserted
        self.touched.update(later.touched)

    def changes(self) -> Changes[R]:
        """What is left to do after folding."""
        inserts: list[R] = []
        updates: list[R] = []
        for key, row in self.rows.items():
            if row is not None:
                (inserts if key in self.inserted else updates).append(row)
        touches = [row for key, row in self.touched.items() if key not in self.rows]
        return Changes(self.table, list(self.deleted), inserts, updates, touches)


Buffers: TypeAlias = dict[str, TableBuffer[Any]]
