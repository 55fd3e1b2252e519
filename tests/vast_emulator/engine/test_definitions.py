"""Schemas, tables, columns and projections: what there is and what is refused. And what rows are refused."""

from collections.abc import Iterator

import pyarrow as pa
import pytest

from tests.vast_emulator.engine.world import SCHEMA, TABLE, database, insert, refused, rows
from vast_emulator.engine import Engine
from vast_emulator.engine.port import (
    EXTERNAL_ROW_ID,
    MAX_CELL_BYTES,
    MAX_ROWS_PER_CALL,
    ROW_ID,
    SORTED_ROW_ID,
    ProjectionColumn,
    Selection,
    TableName,
)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = database()
    yield engine
    engine.close()


def test_buckets_are_made_once_and_stay(engine: Engine) -> None:
    engine.create_bucket("other")
    engine.create_bucket("other")
    assert engine.buckets() == ["bucket", "other"]
    assert not engine.has_bucket("none")
    with engine.using(0) as tx, refused(404):
        tx.create_schema("none", "s")


def test_schemas_nest(engine: Engine) -> None:
    with engine.using(0) as tx:
        tx.create_schema("bucket", "schema/b")
        tx.create_schema("bucket", "schema/a")
        assert tx.list_schemas("bucket", "") == ["schema"]
        assert tx.list_schemas("bucket", "schema") == ["b", "a"]
        with refused(409):
            tx.create_schema("bucket", "schema/a")
        with refused(409):
            tx.drop_schema("bucket", "schema")
        with refused(404):
            tx.list_schemas("bucket", "none")
        tx.rename_schema("bucket", "schema", new_path="new")
        assert tx.list_schemas("bucket", "new") == ["b", "a"]
        assert [table.name for table in tx.list_tables("bucket", "new")] == ["table"]
        tx.drop_table(TableName("bucket", "new", "table"))
        tx.drop_schema("bucket", "new/a")
        assert tx.list_schemas("bucket", "new") == ["b"]


def test_tables_are_renamed_with_their_rows_and_dropped(engine: Engine) -> None:
    insert(engine, {"k": [1]})
    new = TableName("bucket", "schema", "new")
    with engine.using(0) as tx:
        with refused(409):
            tx.create_table(TABLE, SCHEMA)
        tx.rename_table(TABLE, new)
        with refused(404):
            tx.table(TABLE)
        assert tx.table(new).rows == 1
        tx.drop_table(new)
        assert tx.list_tables("bucket", "schema") == []


def test_columns_come_and_go_with_the_rows_that_are_there(engine: Engine) -> None:
    (row,) = insert(engine, {"k": [1], "s": ["a"]})
    with engine.using(0) as tx:
        tx.drop_columns(TABLE, ["s"])
        tx.add_columns(TABLE, pa.schema([("s", pa.int64())]))
        with refused(409):
            tx.add_columns(TABLE, pa.schema([("s", pa.int64())]))
        with refused(404):
            tx.drop_columns(TABLE, ["none"])
        tx.rename_column(TABLE, "k", new_name="key")
    assert rows(engine, columns=("key", "s")) == {row: (1, None)}


def test_a_sort_key_can_be_added_once(engine: Engine) -> None:
    ids = insert(engine, {"k": [2, 1], "n": [0, 0]})
    with engine.using(0) as tx:
        with refused(400):
            tx.add_sort_key(TABLE, [7])
        tx.add_sort_key(TABLE, [0])
        with refused(400):
            tx.add_sort_key(TABLE, [1])
        table = tx.table(TABLE)
        assert (table.sort_key, table.row_id_type, table.row_groups) == ((0,), SORTED_ROW_ID, 1)
        with refused(400):
            tx.update(TABLE, pa.record_batch([pa.array([ids[0]], pa.uint64()), pa.array([5])], names=[ROW_ID, "k"]))
        row_ids = tx.insert(TABLE, pa.record_batch([[3]], names=["k"]))
        assert row_ids.type == SORTED_ROW_ID
        tx.delete(TABLE, pa.record_batch([row_ids], names=[ROW_ID]))
        with refused(400):
            tx.drop_columns(TABLE, ["k"])
    assert rows(engine, columns=("k",)) == {ids[0]: (2,), ids[1]: (1,)}


def test_projections_are_listed_renamed_and_dropped(engine: Engine) -> None:
    insert(engine, {"k": [2, 1], "s": ["b", "a"]})
    columns = [ProjectionColumn("s", True), ProjectionColumn("k", False)]
    with engine.using(0) as tx:
        tx.create_projection(TABLE, "p", columns=columns)
        with refused(409):
            tx.create_projection(TABLE, "p", columns=columns)
        with refused(404):
            tx.create_projection(TABLE, "q", columns=[ProjectionColumn("none", True)])
        tx.rename_projection(TABLE, "p", new_name="q")
        (projection,) = tx.table(TABLE).projections
        assert (projection.name, projection.columns, projection.rows) == ("q", tuple(columns), 2)
        (page,) = tx.select(TABLE, Selection(("k",), projection="q"))
        assert page.rows.column(0).to_pylist() == [1, 2]
        tx.drop_projection(TABLE, "q")
        with refused(404):
            tx.drop_projection(TABLE, "q")


@pytest.mark.parametrize(
    "kind",
    [pa.null(), pa.large_string(), pa.date64(), pa.dictionary(pa.int8(), pa.string()), pa.list_(pa.int8(), 0)],
    ids=str,
)
def test_types_that_vast_does_not_store_are_refused(engine: Engine, kind: pa.DataType) -> None:
    with engine.using(0) as tx, refused(400):
        tx.create_table(TableName("bucket", "schema", "t"), pa.schema([("x", kind)]))


def test_external_row_ids_are_kept(engine: Engine) -> None:
    name = TableName("bucket", "schema", "external")
    schema = pa.schema([(EXTERNAL_ROW_ID, pa.int64()), ("x", pa.int64())])
    with engine.using(0) as tx:
        tx.create_table(name, schema)
        assert not tx.table(name).external_row_ids
        assert tx.insert(name, pa.record_batch([[70, 5], [1, 2]], schema=schema)).to_pylist() == [70, 5]
        assert tx.table(name).external_row_ids
        (page,) = tx.select(name, Selection((ROW_ID, EXTERNAL_ROW_ID, "x")))
        assert page.rows.to_pydict() == {ROW_ID: [5, 70], EXTERNAL_ROW_ID: [5, 70], "x": [2, 1]}
        with refused(409):
            tx.insert(name, pa.record_batch([[70], [1]], schema=schema))
        with refused(400):
            tx.insert(name, pa.record_batch([[-1], [1]], schema=schema))
        with refused(400):
            tx.insert(name, pa.record_batch([[1]], names=["x"]))


def test_a_declared_row_id_column_shows_the_ids_that_the_engine_gives(engine: Engine) -> None:
    name = TableName("bucket", "schema", "declared")
    with engine.using(0) as tx:
        tx.create_table(name, pa.schema([(EXTERNAL_ROW_ID, pa.int64()), ("x", pa.int64())]))
        ids = tx.insert(name, pa.record_batch([[1, 2]], names=["x"])).to_pylist()
        (page,) = tx.select(name, Selection((EXTERNAL_ROW_ID,)))
        assert page.rows.column(0).to_pylist() == ids


def test_rows_that_do_not_fit_are_refused_and_leave_nothing(engine: Engine) -> None:
    with refused(400):
        insert(engine, {"s": ["x" * (MAX_CELL_BYTES + 1)]})
    with engine.using(0) as tx:
        too_many = pa.array(range(MAX_ROWS_PER_CALL + 1), pa.uint64())
        with refused(400):
            tx.delete(TABLE, pa.record_batch([too_many], names=[ROW_ID]))
        with refused(400):
            tx.insert(TABLE, pa.record_batch([["text"]], names=["k"]))
        with refused(404):
            tx.insert(TABLE, pa.record_batch([[1]], names=["none"]))
        with refused(400):
            tx.delete(TABLE, pa.record_batch([[1]], names=["k"]))
        with refused(400):
            tx.delete(TABLE, pa.record_batch([pa.array([1, 1], pa.uint64())], names=[ROW_ID]))
    insert(engine, {"s": ["x" * MAX_CELL_BYTES]})
    assert len(rows(engine)) == 1
