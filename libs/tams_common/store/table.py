"""How a service declares a table: once, in its `tables.py`; migration and projections come from the declaration."""

from typing import Any, Generic, TypeAlias, TypeVar

import msgspec

Row: TypeAlias = msgspec.Struct
"""A row is a frozen Struct whose fields are the columns: int, str, bytes, bool, or one of these with None."""

R = TypeVar("R", bound=msgspec.Struct)
Key: TypeAlias = tuple[int | str, ...]
"""The values of a table's key columns, in their order."""


class Windowed(msgspec.Struct, frozen=True):
    """Paging of a table that grows without bound: a scan walks windows over the sort key and never reads the rest.

    A scan must fix all sort columns but the last with `==`, or be a sweep from the start of the table, or go along a
    projection whose first column it fixes with `==` (`Query`).
    """


class Small(msgspec.Struct, frozen=True):
    """Paging of a table of at most a million rows: a scan may order by any columns.

    `tokens` names text columns that hold tokens (`|a|b|`) and are asked by `Contains` for whole ones: where a database
    has indexes these are indexed, and a filtered page reads as few rows as it can (ADR 0013). They are settled when a
    table is made.
    """

    tokens: tuple[str, ...] = ()


class Projection(msgspec.Struct, frozen=True):
    """A second order of a table: a semi-sorted projection on VAST DB, an index on SQLite."""

    name: str
    columns: tuple[str, ...]


class Guard(msgspec.Struct, frozen=True):
    """The row that serialises writers of a table: every insert must also write (insert, update or touch) that row.

    `columns` are the guarded table's columns that make the key of the row in the table named `table`.
    """

    table: str
    columns: tuple[str, ...]


class Table(msgspec.Struct, Generic[R], frozen=True):
    """A table: its row type, its unique key, the one order in which scans come, and how it is paged.

    `sort` defaults to the key. A table without `guarded_by` has its uniqueness kept by the adapter. `version` rises
    with every change of the declaration; changes are additive (new columns with a default, new projections).
    """

    name: str
    row: type[R]
    key: tuple[str, ...]
    sort: tuple[str, ...] = ()
    paging: Windowed | Small = Small()
    guarded_by: Guard | None = None
    projections: tuple[Projection, ...] = ()
    version: int = 1

    def __post_init__(self) -> None:
        fields = {field.name for field in msgspec.structs.fields(self.row)}
        named = {*self.key, *self.sort, *(c for p in self.projections for c in p.columns)}
        if isinstance(self.paging, Small):
            named.update(self.paging.tokens)
        if self.guarded_by is not None:
            named.update(self.guarded_by.columns)
        if not self.key or named - fields:
            raise TypeError(
                f"table {self.name}: key, sort, guard, projections and tokens name columns of {self.row.__name__}"
            )

    @property
    def order(self) -> tuple[str, ...]:
        """The columns by which scans are ordered."""
        return self.sort or self.key

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in the row type's order."""
        return self.row.__struct_fields__

    def key_of(self, row: R) -> Key:
        """The key of `row`."""
        return tuple(getattr(row, column) for column in self.key)


AnyTable: TypeAlias = Table[Any]
