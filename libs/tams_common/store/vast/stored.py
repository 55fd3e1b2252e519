"""A declared table as VAST DB knows it, built from the declaration: nothing is asked at run time."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa
from vastdb.table_metadata import TableMetadata, TableRef, TableType

from tams_common.store.column import Kind
from tams_common.store.layout import AnyLayout
from tams_common.store.vast.forms import Forms

TOUCH: Final = "tams_touch"
"""A column of every table that only `touch` writes: rewriting another one might undo nobody's work, but says more."""

ROW_ID: Final = "$row_id"
_TYPES: Final[Mapping[Kind, pa.DataType]] = {
    "int": pa.int64(),
    "str": pa.utf8(),
    "bytes": pa.binary(),
    "bool": pa.bool_(),
}
_ROW_ID: Final = pa.field(ROW_ID, pa.uint64())
_SORTED_ROW_ID: Final = pa.field(ROW_ID, pa.decimal128(38, 0))


class Stored:
    """One table: its metadata for the SDK, and its rows as Arrow."""

    __slots__ = ("forms", "layout", "metadata", "name", "row_id", "schema", "sorting", "updatable")

    def __init__(self, layout: AnyLayout, *, bucket: str, schema: str) -> None:
        self.layout = layout
        self.name = layout.table.name
        self.sorting = _sorting(layout)
        fields = [pa.field(column.name, _TYPES[column.kind]) for column in layout.columns]
        self.schema = pa.schema([*fields, pa.field(TOUCH, pa.int64())])
        self.row_id = _SORTED_ROW_ID if self.sorting else _ROW_ID
        kind = TableType.Elysium if self.sorting else TableType.Regular
        self.metadata = TableMetadata(TableRef(bucket, schema, self.name), arrow_schema=self.schema, table_type=kind)
        self.forms = Forms(self.metadata.ibis_table, pa.schema([self.row_id, *self.schema]))
        fixed = {*self.sorting, *layout.table.key}
        self.updatable = tuple(name for name in layout.names if name not in fixed)

    def batch(self, rows: Sequence[msgspec.Struct]) -> pa.RecordBatch:
        """Whole rows, as an insert takes them."""
        columns = zip(*map(msgspec.structs.astuple, rows), strict=True)
        arrays = [pa.array(cells, field.type) for cells, field in zip(columns, self.schema, strict=False)]
        return pa.record_batch([*arrays, pa.nulls(len(rows), pa.int64())], schema=self.schema)

    def changes(self, row_ids: Sequence[Any], *, columns: Mapping[str, Sequence[Any]]) -> pa.RecordBatch:
        """New cells of `columns` for the rows with `row_ids`; without columns, the rows themselves."""
        fields = [self.row_id, *(self.schema.field(name) for name in columns)]
        cells = [row_ids, *columns.values()]
        arrays = [pa.array(values, field.type) for values, field in zip(cells, fields, strict=True)]
        return pa.record_batch(arrays, schema=pa.schema(fields))


def rows_of(chunks: Iterable[pa.Table]) -> list[tuple[Any, ...]]:
    """The rows of `chunks` as Python values."""
    rows: list[tuple[Any, ...]] = []
    for chunk in chunks:
        rows += zip(*(column.to_pylist() for column in chunk.columns), strict=True)
    return rows


def _sorting(layout: AnyLayout) -> tuple[str, ...]:
    """The columns by which VAST DB sorts the table; one that holds nulls cannot be among them."""
    order = layout.table.order
    return () if any(layout.column(name).nullable for name in order) else order
