"""What the wire face calls: the engine's methods and the values that cross.

Statements run inside `engine.using(txid)`. A txid of 0 is a transaction of its own, committed when the block ends
without an error. Every refusal is an `EngineError` with status and code. Methods block for short times only and may be
called from several threads; two statements of one transaction run one after the other.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

from vast_emulator.engine.predicate import Condition

ROW_ID = "$row_id"
EXTERNAL_ROW_ID = "vastdb_rowid"
ROW_GROUP = 1 << 16
FINISHED = (1 << 48) - 1
"""`Page.next_row` of a sub-split that has nothing more, and a start row that means "already finished"."""
MAX_ROWS_PER_CALL = 512 * 1024
MAX_CELL_BYTES = 128 * 1024
SORTED_ROW_ID = pa.decimal128(38, 0)


@dataclass(frozen=True, slots=True)
class TableName:
    """Where a table is; `schema` may be a path with slashes."""

    bucket: str
    schema: str
    name: str


@dataclass(frozen=True, slots=True)
class ProjectionColumn:
    """A column that a projection carries, and whether it is part of the projection's sort order."""

    name: str
    is_sorted: bool


@dataclass(frozen=True, slots=True)
class Projection:
    """A semi-sorted projection of a table; `rows` and `bytes` as held now."""

    name: str
    columns: tuple[ProjectionColumn, ...]
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Table:
    """A table as the transaction sees it. `sort_key` holds column positions, `bytes` is the size held."""

    name: str
    id: int
    schema: pa.Schema
    sort_key: tuple[int, ...]
    projections: tuple[Projection, ...]
    rows: int
    bytes: int
    external_row_ids: bool

    @property
    def row_id_type(self) -> pa.DataType:
        """The type of `$row_id` on the wire: decimal128(38, 0) for sorted tables, else uint64."""
        return SORTED_ROW_ID if self.sort_key else pa.uint64()

    @property
    def row_groups(self) -> int:
        """Groups of 64 Ki rows, at least one: the estimate that the split call answers for sorted tables."""
        return max(1, -(-self.rows // ROW_GROUP))


@dataclass(frozen=True, slots=True)
class Split:
    """Which share of a table a query reads: `starts` are (sub-split, start row) pairs; a start row of a first request
    is 0, later the `next_row` of the page before."""

    id: int = 0
    total: int = 1
    row_groups: int = 8
    sub_splits: int = 1
    starts: tuple[tuple[int, int], ...] = ((0, 0),)


@dataclass(frozen=True, slots=True)
class Selection:
    """A query. `columns` are top-level names, `$row_id` among them if wanted (it comes as uint64).

    `limit` is rows per sub-split and request, 0 for the engine's own maximum. `projection` names one to read, else
    `use_projections` lets the engine pick one.
    """

    columns: tuple[str, ...]
    where: Condition | None = None
    split: Split = Split()
    limit: int = 0
    projection: str | None = None
    use_projections: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """One sub-split's answer to one request: top-level columns as asked, possibly no rows; exactly one per start."""

    sub_split: int
    next_row: int
    rows: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class EngineStats:
    """Counters since the start, for tests and metrics; `groups_read` counts row groups that a query looked into."""

    groups_read: int
    groups_pruned: int
    group_loads: int
    group_spills: int
    resident_bytes: int
    commits: int
    conflicts: int
    expired: int
    open_transactions: int
    checkpoints: int


class Statements(Protocol):
    """What can be done inside one transaction."""

    def list_schemas(self, bucket: str, parent: str) -> list[str]:
        """Names (last path part) of the schemas right below `parent` ("" for the bucket), oldest first."""

    def create_schema(self, bucket: str, path: str) -> None:
        """409 if it exists."""

    def rename_schema(self, bucket: str, path: str, *, new_path: str) -> None:
        """Moves it with everything below."""

    def drop_schema(self, bucket: str, path: str) -> None:
        """409 while it holds tables or schemas."""

    def list_tables(self, bucket: str, schema: str) -> list[Table]:
        """The tables of one schema, oldest first."""

    def table(self, name: TableName) -> Table:
        """404 if there is none."""

    def create_table(self, name: TableName, schema: pa.Schema, *, sort_key: Sequence[int] = ()) -> None:
        """409 if it exists; 400 for a type VAST does not store or a sort column that is not there."""

    def rename_table(self, name: TableName, new_name: TableName) -> None:
        """Within the bucket; 409 if the new name is taken."""

    def add_sort_key(self, name: TableName, sort_key: Sequence[int]) -> None:
        """400 if the table is sorted already."""

    def drop_table(self, name: TableName) -> None:
        """With its projections."""

    def add_columns(self, name: TableName, columns: pa.Schema) -> None:
        """Null in the rows that are there."""

    def drop_columns(self, name: TableName, columns: Sequence[str]) -> None:
        """400 for a column of the sort key or of a projection."""

    def rename_column(self, name: TableName, column: str, *, new_name: str) -> None:
        """409 if the new name is taken."""

    def insert(self, name: TableName, rows: pa.RecordBatch) -> pa.Array:
        """Row ids (uint64; decimal for sorted tables) of the new rows. Columns left out are null."""

    def update(self, name: TableName, rows: pa.RecordBatch) -> None:
        """Replaces the given columns of the rows named by the first column, `$row_id`. 409 if another transaction
        changed or is changing one of them; unknown ids are passed over."""

    def delete(self, name: TableName, rows: pa.RecordBatch) -> None:
        """By the column `$row_id`; conflicts as update."""

    def select(self, name: TableName, selection: Selection) -> Iterator[Page]:
        """One page for each start. Arguments are checked at the call; the pages may be read after the block ended and
        show the table as it was at the call."""

    def create_projection(self, name: TableName, projection: str, *, columns: Sequence[ProjectionColumn]) -> None:
        """409 if the name is taken, 404 for a missing column."""

    def rename_projection(self, name: TableName, projection: str, *, new_name: str) -> None:
        """404 if there is none."""

    def drop_projection(self, name: TableName, projection: str) -> None:
        """404 if there is none."""


class EnginePort(Protocol):
    """The database: transactions around statements. `vast_emulator.engine.Engine` implements it."""

    def begin(self) -> int:
        """A new transaction's id, never 0; it sees what is committed now."""

    def commit(self, txid: int) -> None:
        """On return the transaction is on disk and visible. 404 if unknown or expired; 507 if the disk takes no more:
        then it is rolled back."""

    def rollback(self, txid: int) -> None:
        """404 if unknown or expired."""

    def touch(self, txid: int) -> None:
        """Restarts the idle clock. 404 if unknown or expired."""

    def using(self, txid: int) -> AbstractContextManager[Statements]:
        """Statements in this transaction; 0 commits on its own when the block ends well."""

    def has_bucket(self, bucket: str) -> bool:
        """Whether the bucket exists; buckets are outside of transactions."""

    def create_bucket(self, bucket: str) -> None:
        """Durable on return; nothing happens if it exists."""

    def buckets(self) -> list[str]:
        """Sorted names."""

    def stats(self) -> EngineStats:
        """Counters since the start."""

    def checkpoint(self) -> None:
        """Writes what is committed as row-group files and starts a new redo log; runs by itself when that is long. 507
        if the disk takes no more: then the logs stay."""

    def close(self) -> None:
        """Checkpoints and gives up the files; open transactions are rolled back."""
