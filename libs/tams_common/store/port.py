"""The store port: transactions are functions (architecture 3, ADR 0002)."""

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, Protocol, TypeVar

import msgspec

from tams_common.store.table import AnyTable, Key, R, Table
from tams_common.store.where import Condition, Scalar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Query(msgspec.Struct, frozen=True):
    """Which rows a scan returns, and in which order.

    `order` defaults to the table's own order. A `Small` table may be ordered by any columns; nulls come after values,
    and in reverse before them (SORT-8). A `Windowed` table knows two kinds of scan: in its own order, with all sort
    columns but the last fixed by `==` (or as a sweep from the oldest row, with no condition on those columns); and in
    the order of a declared projection, given as `order`, with its first column fixed by `==`. Anything else is a
    TypeError, as on VAST DB it would read the whole table. Rows that tie come in key order.

    `after` holds the values of the last row already seen: its order columns, then the key columns not among them; one
    that does not fit the query is InvalidInput, since positions come back from clients. `width` is the hint that an
    earlier page returned, or for a first one `window_width`; 0 for none. `limit` None means all rows.
    """

    where: tuple[Condition, ...] = ()
    order: tuple[str, ...] = ()
    after: tuple[Scalar, ...] | None = None
    limit: int | None = None
    reverse: bool = False
    width: int = 0


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Rows in order; `more` tells whether further rows follow; `width` is a hint to hand back with the next query."""

    rows: list[T]
    more: bool = False
    width: int = 0


class Reader(Protocol):
    """One snapshot of the tables."""

    def get(self, table: Table[R], key: Key) -> R | None:
        """The row with `key`, or None."""
        ...

    def get_many(self, table: Table[R], keys: Iterable[Key]) -> dict[Key, R]:
        """The rows that exist among `keys` (any number), by key."""
        ...

    def scan(self, table: Table[R], query: Query) -> Page[R]:
        """Whole rows that meet `query`."""
        ...

    def select(self, table: AnyTable, columns: Sequence[str], *, query: Query) -> Page[tuple[Scalar, ...]]:
        """Only `columns` of the rows that meet `query`: how a rendered body is read as bytes."""
        ...


class Tx(Reader, Protocol):
    """A transaction: reads go out at once and see what it has written; writes are flushed together at its end.

    Whatever the adapter, VAST DB's limits hold: a cell over 128 KiB and an integer beyond 64 bits are InvalidInput.
    """

    def insert(self, table: Table[R], rows: Iterable[R]) -> None:
        """Adds rows with new keys; an existing key is a `Conflict`, now or at the flush."""
        ...

    def update(self, table: Table[R], rows: Iterable[R], *, expect: Sequence[int] | None = None) -> None:
        """Replaces rows by key; `expect` gives the stored `version` of each row, another one is a `Conflict`."""
        ...

    def delete(self, table: AnyTable, keys: Iterable[Key]) -> None:
        """Removes rows by key; keys that do not exist are ignored."""
        ...

    def touch(self, table: AnyTable, key: Key) -> None:
        """Writes a row unchanged, so that no other transaction that writes it commits beside this one.

        What a decision rests on is also written. A missing row is a `Conflict`.
        """
        ...


class TableStatus(msgspec.Struct, frozen=True):
    """What `tams tables status` shows of a table.

    `sorting` says in the database's own words how the rows lie; `drift` how the stored table differs from its
    declaration, one phrase for each difference.
    """

    name: str
    declared_version: int
    stored_version: int | None
    rows: int
    bytes: int
    projections: dict[str, bool]
    sorting: str = ""
    drift: tuple[str, ...] = ()


class ProjectionStatus(msgspec.Struct, frozen=True):
    """What `tams tables projections status` shows; `bytes` is None where the database does not tell."""

    table: str
    name: str
    columns: tuple[str, ...]
    enabled: bool
    rows: int
    bytes: int | None


class Store(Protocol):
    """The tables of one service. Every method raises `Unavailable` when the database is down."""

    async def open(self) -> None:
        """Connects; raises `StartRefused` when the stored schema is newer than the declared one."""
        ...

    async def close(self) -> None:
        """Finishes what runs and disconnects; the store cannot be used afterwards."""
        ...

    async def migrate(self) -> None:
        """Creates tables, adds columns and projections; raises `StartRefused` for what it cannot do.

        A projection that was disabled stays so, also when its declaration changes.
        """
        ...

    async def unmigrated(self) -> list[str]:
        """The tables that are not stored as they are declared, and need `migrate`; looks at no row."""
        ...

    async def status(self) -> list[TableStatus]:
        """Every declared table, as it is stored."""
        ...

    async def projections(self) -> list[ProjectionStatus]:
        """Every declared projection, as it is stored."""
        ...

    async def set_projection(self, table: str, name: str, *, enabled: bool) -> None:
        """Creates or drops a declared projection; nothing when it is so already.

        Scans mean the same without it, but cost more. Raises `NotFound` for a projection or table that is not declared,
        `StartRefused` for a table that is not migrated.
        """
        ...

    async def run(self, fn: Callable[[Tx], T]) -> T:
        """Runs `fn` as one transaction, durable when this returns.

        `fn` is a plain function without awaits or network calls. It may be run several times, after a `Conflict` or to
        hear what it reads, and be left at any read: it must have no effect but through `tx`. Several `fn` may share a
        commit: a later one sees the rows of an earlier one, and one that raises loses only its own writes. What `fn`
        raises, `run` raises.
        """
        ...

    async def read(self, fn: Callable[[Reader], T], *, bounded: bool = False) -> T:
        """Runs `fn` on one snapshot.

        `bounded` promises gets and pages whose cost an index bounds: an adapter may then run `fn` on the event loop's
        own thread.
        """
        ...
