"""Statements about rows, and with those about definitions, everything that a transaction can do."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pyarrow as pa

from vast_emulator.engine.chunk import RowIds
from vast_emulator.engine.definitions import Definitions
from vast_emulator.engine.errors import conflict, invalid
from vast_emulator.engine.filtering import child_type, flat, refs
from vast_emulator.engine.limits import check_cells, check_count, fitting, row_ids_of, to_row_ids
from vast_emulator.engine.operations import Delete, Insert, Update
from vast_emulator.engine.port import EXTERNAL_ROW_ID, ROW_ID, SORTED_ROW_ID, Page, Selection, TableName
from vast_emulator.engine.predicate import AllOf, AnyOf, Compare, Condition, IsIn, Ref
from vast_emulator.engine.scan import BY_PLACE, Scan
from vast_emulator.engine.session import content_lock
from vast_emulator.engine.table import ProjectionVersion, TableVersion, picked_projection


class TransactionStatements(Definitions):
    """Implements `port.Statements`."""

    def insert(self, name: TableName, rows: pa.RecordBatch) -> pa.Array:
        """See `port.Statements`."""
        table = self._session.view.table(name)
        check_cells(rows)
        columns = fitting(table, list(rows.schema))
        self._session.share(content_lock(table.id))
        external = EXTERNAL_ROW_ID in rows.schema.names
        if table.external and not external:
            raise invalid(f"the rows of this table bring their ids in {EXTERNAL_ROW_ID}")
        row_ids = self._brought_ids(table, rows) if external else self._new_ids(table, rows)
        arrays = {column.id: array for column, array in zip(columns, rows.columns, strict=True)}
        for column in table.columns:
            if column.name == EXTERNAL_ROW_ID and not external:
                arrays[column.id] = pa.array(row_ids).cast(column.field.type)
        if len(row_ids):
            order = np.argsort(row_ids, kind="stable")
            if external:
                arrays = {id: array.take(pa.array(order)) for id, array in arrays.items()}
            self._session.do(Insert(table.id, _batch(row_ids[order], arrays), external))
        answer = pa.array(row_ids)
        return answer.cast(SORTED_ROW_ID) if table.key else answer

    def update(self, name: TableName, rows: pa.RecordBatch) -> None:
        """See `port.Statements`."""
        table = self._session.view.table(name)
        check_count(rows)
        check_cells(rows)
        row_ids = row_ids_of(rows)
        given = [place for place, field in enumerate(rows.schema) if field.name != ROW_ID]
        columns = fitting(table, [rows.schema.field(place) for place in given])
        for column in columns:
            if column.id in table.key:
                raise invalid(f"{column.name} is a sorted column and cannot be updated")
            if column.name == EXTERNAL_ROW_ID:
                raise invalid(f"{EXTERNAL_ROW_ID} cannot be updated")
        self._take_rows(table, row_ids)
        order = pa.array(np.argsort(row_ids))
        arrays = {column.id: rows.column(place).take(order) for column, place in zip(columns, given, strict=True)}
        if arrays and len(row_ids):
            self._session.do(Update(table.id, _batch(np.sort(row_ids), arrays)))

    def delete(self, name: TableName, rows: pa.RecordBatch) -> None:
        """See `port.Statements`."""
        table = self._session.view.table(name)
        check_count(rows)
        row_ids = row_ids_of(rows)
        self._take_rows(table, row_ids)
        if len(row_ids):
            self._session.do(Delete(table.id, _batch(np.sort(row_ids), {})))

    def select(self, name: TableName, selection: Selection) -> Iterator[Page]:
        """See `port.Statements`."""
        table = self._session.view.table(name)
        if min(selection.split.total, selection.split.row_groups, selection.split.sub_splits) < 1:
            raise invalid("a split of nothing")
        for column in selection.columns:
            if column != ROW_ID:
                table.column(column)
        terms = tuple(_coerced(table, term) for term in flat(selection.where))
        projection = self._chosen(table, selection, terms=terms)
        rows, layout = table.rows, table.layout(self._state.store)
        if projection is not None:
            rows, layout = projection.rows, table.projected(self._state.store, projection)
        in_order = projection is not None
        return Scan(rows, layout, terms, selection, in_order=in_order, counters=self._state.scans).pages()

    def _chosen(
        self, table: TableVersion, selection: Selection, *, terms: tuple[Condition, ...]
    ) -> ProjectionVersion | None:
        used = {ref.column for term in terms for ref in refs(term)}
        needed = {table.column(name).id for name in used.union(selection.columns) - {ROW_ID}}
        if selection.projection is not None:
            found = table.projection(selection.projection)
            if not needed <= set(found.columns):
                raise invalid(f"projection {found.name} has not all columns of the query")
            return found
        continued = [start for _, start in selection.split.starts if start]
        if not selection.use_projections or any(start < BY_PLACE for start in continued):
            return None
        direct = {term.ref.column for term in terms if isinstance(term, Compare | IsIn)} - {ROW_ID}
        return picked_projection(table, needed=needed, constrained={table.column(each).id for each in direct})

    def _take_rows(self, table: TableVersion, row_ids: RowIds) -> None:
        self._session.share(content_lock(table.id))
        self._session.take_rows(table.id, row_ids.tolist())

    def _new_ids(self, table: TableVersion, rows: pa.RecordBatch) -> RowIds:
        first = self._state.new_rows(table.id, rows.num_rows)
        return np.arange(first, first + rows.num_rows, dtype=np.uint64)

    def _brought_ids(self, table: TableVersion, rows: pa.RecordBatch) -> RowIds:
        row_ids = to_row_ids(rows.column(rows.schema.get_field_index(EXTERNAL_ROW_ID)))
        if not len(row_ids):
            return row_ids
        past = int(row_ids.max()) + 1
        if past > BY_PLACE:
            raise invalid("row ids have 47 bits")
        self._session.take_rows(table.id, row_ids.tolist())
        if table.rows.locate(np.sort(row_ids)):
            raise conflict("a row of this id exists", code="TabularRowExists")
        self._state.known_rows(table.id, past)
        return row_ids


def _batch(row_ids: RowIds, columns: dict[int, pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(
        [pa.array(row_ids), *columns.values()], names=[ROW_ID, *(str(id) for id in columns)]
    )


def _coerced(table: TableVersion, condition: Condition) -> Condition:
    """With literals of the columns' own types; 404 for an unknown column, 400 for a literal that does not fit."""
    match condition:
        case AllOf(parts=parts):
            return AllOf(tuple(_coerced(table, part) for part in parts))
        case AnyOf(parts=parts):
            return AnyOf(tuple(_coerced(table, part) for part in parts))
        case Compare(ref=ref, value=value):
            return replace(condition, value=_fitted(value, _type_of(table, ref)))
        case IsIn(ref=ref, values=values):
            return replace(condition, values=_fitted(values, _type_of(table, ref)))
        case _:
            _type_of(table, condition.ref)
            return condition


def _type_of(table: TableVersion, ref: Ref) -> pa.DataType:
    return pa.uint64() if ref.column == ROW_ID else child_type(table.column(ref.column).field.type, ref.path)


def _fitted(value: pa.Scalar | pa.Array, kind: pa.DataType) -> pa.Scalar | pa.Array:
    wanted = pa.binary() if pa.types.is_string(kind) else kind
    try:
        return value if value.type == wanted else value.cast(wanted)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise invalid(f"a literal of type {value.type} for a column of type {kind}") from error
