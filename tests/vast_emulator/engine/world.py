"""Words of the engine's tests: one small table, its rows, and what a transaction sees of it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pyarrow as pa
import pytest

from vast_emulator.engine import Engine, EngineError, EngineOptions
from vast_emulator.engine.port import ROW_ID, Selection, Split, TableName
from vast_emulator.engine.predicate import Compare, Condition, Operator, Ref

TABLE = TableName("bucket", "schema", "table")
SCHEMA = pa.schema([("k", pa.int64()), ("s", pa.string()), ("n", pa.int64())])
Cell = int | str | None


def database(
    directory: Path | None = None,
    options: EngineOptions | None = None,
    *,
    sort_key: Sequence[int] = (),
    schema: pa.Schema = SCHEMA,
) -> Engine:
    """An engine with the empty table TABLE."""
    engine = Engine(directory, options)
    engine.create_bucket("bucket")
    with engine.using(0) as tx:
        tx.create_schema("bucket", "schema")
        tx.create_table(TABLE, schema, sort_key=sort_key)
    return engine


def insert(engine: Engine, rows: Mapping[str, Sequence[Cell]], *, txid: int = 0) -> list[int]:
    """Row ids of new rows, given as columns."""
    batch = pa.record_batch([pa.array(cells, SCHEMA.field(name).type) for name, cells in rows.items()], names=[*rows])
    with engine.using(txid) as tx:
        return [int(row_id) for row_id in tx.insert(TABLE, batch).to_pylist()]


def update(engine: Engine, row_ids: Sequence[int], *, txid: int = 0, **columns: Sequence[Cell]) -> None:
    """Replaces columns of rows."""
    arrays = [pa.array(cells, SCHEMA.field(name).type) for name, cells in columns.items()]
    batch = pa.record_batch([pa.array(row_ids, pa.uint64()), *arrays], names=[ROW_ID, *columns])
    with engine.using(txid) as tx:
        tx.update(TABLE, batch)


def delete(engine: Engine, row_ids: Iterable[int], *, txid: int = 0) -> None:
    """Deletes rows."""
    batch = pa.record_batch([pa.array([*row_ids], pa.uint64())], names=[ROW_ID])
    with engine.using(txid) as tx:
        tx.delete(TABLE, batch)


def rows(
    engine: Engine,
    where: Condition | None = None,
    *,
    txid: int = 0,
    columns: tuple[str, ...] = ("k", "s", "n"),
    page: int = 0,
) -> dict[int, tuple[Cell, ...]]:
    """Rows by id, read page by page over four sub-splits."""
    found: dict[int, tuple[Cell, ...]] = {}
    starts = tuple((number, 0) for number in range(4))
    with engine.using(txid) as tx:
        while starts:
            split = Split(row_groups=1, sub_splits=4, starts=starts)
            selection = Selection((ROW_ID, *columns), where=where, split=split, limit=page)
            pages = list(tx.select(TABLE, selection))
            for each in pages:
                taken = each.rows.to_pylist()
                assert not found.keys() & {row[ROW_ID] for row in taken}
                found |= {row[ROW_ID]: tuple(row[name] for name in columns) for row in taken}
            starts = tuple((each.sub_split, each.next_row) for each in pages if each.next_row < (1 << 48) - 1)
    return found


def compare(column: str, **wanted: int | str) -> Compare:
    """A condition on one column of TABLE, or on the row id: compare("k", less=3)."""
    ((operator, value),) = wanted.items()
    kind = pa.uint64() if column == ROW_ID else SCHEMA.field(column).type
    return Compare(Ref(column), get_args(Operator)[get_args(Operator).index(operator)], pa.scalar(value, kind))


@contextmanager
def refused(status: int) -> Iterator[None]:
    """The block is refused with this status."""
    with pytest.raises(EngineError) as caught:
        yield
    assert caught.value.status == status
