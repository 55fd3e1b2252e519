"""What VAST refuses about rows: too many in one call, too large a cell, columns that do not fit the table."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from vast_emulator.engine.chunk import RowIds
from vast_emulator.engine.columns import Column
from vast_emulator.engine.errors import EngineError, invalid
from vast_emulator.engine.port import MAX_CELL_BYTES, MAX_ROWS_PER_CALL, ROW_ID
from vast_emulator.engine.table import TableVersion


def check_count(rows: pa.RecordBatch) -> None:
    """400 if a call that changes rows carries too many; an insert is bounded by its bytes alone."""
    if rows.num_rows > MAX_ROWS_PER_CALL:
        raise invalid(f"{rows.num_rows} rows in one call, at most {MAX_ROWS_PER_CALL}")


def check_cells(rows: pa.RecordBatch) -> None:
    """400 if a cell has more than 128 KiB."""
    for name, array in zip(rows.schema.names, rows.columns, strict=True):
        if _largest_cell(array) > MAX_CELL_BYTES:
            raise invalid(f"a cell of column {name} has more than {MAX_CELL_BYTES} bytes")


def fitting(table: TableVersion, fields: list[pa.Field]) -> list[Column]:
    """The table's columns that fields of a call name; refuses unknown ones and other types."""
    found = []
    for field in fields:
        column = next((each for each in table.columns if each.name == field.name), None)
        if column is None:
            raise EngineError(404, "TabularMismatchColumnType", message=f"TabularMismatchColumnType: no {field.name}")
        nullable_vector = pa.types.is_fixed_size_list(field.type) and not field.nullable
        if column.field.type != field.type or nullable_vector:
            raise _mismatch(field)
        found.append(column)
    if len(set(found)) < len(fields):
        raise invalid("a column is given twice")
    return found


def row_ids_of(rows: pa.RecordBatch) -> RowIds:
    """The column `$row_id`, uint64 or decimal; 400 if it is missing, has nulls or names a row twice."""
    place = rows.schema.get_field_index(ROW_ID)
    if place < 0:
        raise invalid(f"no column {ROW_ID}")
    return to_row_ids(rows.column(place))


def to_row_ids(array: pa.Array) -> RowIds:
    """Row ids from an array of integers or decimals without nulls or duplicates, none negative."""
    try:
        row_ids = np.asarray(array.cast(pa.uint64()).to_numpy(zero_copy_only=not array.null_count), dtype=np.uint64)
    except pa.ArrowInvalid as error:
        raise invalid(f"row ids: {error}") from error
    ascending = np.sort(row_ids)
    if array.null_count or np.any(ascending[1:] == ascending[:-1]):
        raise invalid("row ids are missing or given twice")
    return row_ids


def _mismatch(field: pa.Field) -> EngineError:
    text = f"TabularMismatchColumnType {field.name} {field.type}"
    return invalid(text, code="TabularMismatchColumnType")


def _largest_cell(array: pa.Array) -> int:
    if array.nbytes <= MAX_CELL_BYTES:
        return 0
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return int(pc.max(pc.binary_length(array)).as_py() or 0)
    if pa.types.is_nested(kind):
        return max(int(array.slice(place, 1).nbytes) for place in range(len(array)))
    return 0
