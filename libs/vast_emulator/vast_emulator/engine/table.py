"""One immutable version of a table: columns, rows, projections, and what a change makes of it."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from vast_emulator.engine.chunk import RowIds
from vast_emulator.engine.chunks import ChunkStore
from vast_emulator.engine.columns import Column
from vast_emulator.engine.errors import missing
from vast_emulator.engine.group import Layout
from vast_emulator.engine.port import ROW_GROUP, ROW_ID, Projection, ProjectionColumn, Table
from vast_emulator.engine.rows import Rows


@dataclass(frozen=True, slots=True)
class ProjectionVersion:
    """A projection and its own copy of the rows, in its own order. `columns` are ids, those of `key` are sorted."""

    name: str
    columns: tuple[int, ...]
    key: tuple[int, ...]
    rows: Rows = field(default_factory=Rows)


@dataclass(frozen=True, slots=True)
class TableVersion:
    """A table at one moment. `key` are the sort key's column ids; `next_column` is the next new column's id."""

    id: int
    columns: tuple[Column, ...]
    next_column: int
    key: tuple[int, ...] = ()
    external: bool = False
    rows: Rows = field(default_factory=Rows)
    projections: tuple[ProjectionVersion, ...] = ()

    def column(self, name: str) -> Column:
        """The column of that name now; 404 if there is none."""
        for column in self.columns:
            if column.name == name:
                return column
        raise missing("Column", name)

    def projection(self, name: str) -> ProjectionVersion:
        """404 if there is none."""
        for projection in self.projections:
            if projection.name == name:
                return projection
        raise missing("Projection", name)

    def layout(self, store: ChunkStore) -> Layout:
        """How its own rows lie."""
        return Layout(store, self.columns, self.key)

    def projected(self, store: ChunkStore, projection: ProjectionVersion) -> Layout:
        """How a projection's rows lie."""
        columns = tuple(column for column in self.columns if column.id in projection.columns)
        return Layout(store, columns, projection.key)

    def described(self, name: str) -> Table:
        """As the wire face sees it."""
        names = {column.id: column.name for column in self.columns}
        places = {column.id: place for place, column in enumerate(self.columns)}
        projections = tuple(
            Projection(
                each.name,
                tuple(ProjectionColumn(names[id], id in each.key) for id in each.columns),
                each.rows.count,
                each.rows.bytes,
            )
            for each in self.projections
        )
        return Table(
            name=name,
            id=self.id,
            schema=pa.schema([column.field for column in self.columns]),
            sort_key=tuple(places[id] for id in self.key),
            projections=projections,
            rows=self.rows.count,
            bytes=self.rows.bytes,
            external_row_ids=self.external,
        )


class Changes:
    """Makes new versions of tables; row batches have `$row_id` first and columns named by their ids."""

    def __init__(self, store: ChunkStore) -> None:
        self._store = store

    def insert(self, table: TableVersion, batch: pa.RecordBatch, *, external: bool) -> TableVersion:
        """With new rows; columns that the batch lacks are null."""
        row_ids, given = split_batch(batch)
        columns = {
            column.id: given[column.id] if column.id in given else pa.nulls(len(row_ids), column.field.type)
            for column in table.columns
        }
        rows = table.rows.with_rows(table.layout(self._store), row_ids, columns=columns)
        table = replace(table, rows=rows, external=table.external or external)
        return self._project(table, row_ids, columns=columns)

    def update(self, table: TableVersion, batch: pa.RecordBatch) -> TableVersion:
        """With the given columns of those of the rows replaced that are there."""
        wanted, given = split_batch(batch)
        layout = table.layout(self._store)
        found = table.rows.locate(wanted)
        row_ids, columns = table.rows.fetch(layout, found)
        if not len(row_ids):
            return table
        places = pa.array(np.searchsorted(wanted, row_ids))
        columns |= {id: array.take(places) for id, array in given.items() if id in columns}
        rows = table.rows.without(layout, found).with_rows(layout, row_ids, columns=columns)
        changed = self._unproject(replace(table, rows=rows), row_ids, touched=given.keys())
        return self._project(changed, row_ids, columns=columns, touched=given.keys())

    def delete(self, table: TableVersion, row_ids: RowIds) -> TableVersion:
        """Without those of the rows (ascending ids) that are there."""
        rows = table.rows.without(table.layout(self._store), table.rows.locate(row_ids))
        return self._unproject(replace(table, rows=rows), row_ids)

    def sort(self, table: TableVersion, key: tuple[int, ...]) -> TableVersion:
        """With its rows in the order of a sort key."""
        layout = Layout(self._store, table.columns, key)
        return replace(table, key=key, rows=self._rebuilt(table, layout))

    def add_projection(self, table: TableVersion, projection: ProjectionVersion) -> TableVersion:
        """With a projection, filled."""
        layout = table.projected(self._store, projection)
        filled = replace(projection, rows=self._rebuilt(table, layout))
        return replace(table, projections=(*table.projections, filled))

    def _rebuilt(self, table: TableVersion, layout: Layout) -> Rows:
        rows = Rows()
        for group in table.rows.groups:
            alive = [(part, part.alive()) for part in group if part.rows]
            row_ids, columns = layout.gather(alive)
            rows = rows.with_rows(layout, row_ids, columns=columns)
        return rows

    def _project(
        self,
        table: TableVersion,
        row_ids: RowIds,
        *,
        columns: dict[int, pa.Array],
        touched: Iterable[int] | None = None,
    ) -> TableVersion:
        return replace(
            table,
            projections=tuple(
                replace(
                    each, rows=each.rows.with_rows(layout, row_ids, columns={id: columns[id] for id in each.columns})
                )
                if _is_touched(each, touched)
                else each
                for each in table.projections
                for layout in (table.projected(self._store, each),)
            ),
        )

    def _unproject(self, table: TableVersion, row_ids: RowIds, *, touched: Iterable[int] | None = None) -> TableVersion:
        return replace(
            table,
            projections=tuple(
                replace(each, rows=each.rows.without(table.projected(self._store, each), each.rows.locate(row_ids)))
                if _is_touched(each, touched)
                else each
                for each in table.projections
            ),
        )


def split_batch(batch: pa.RecordBatch) -> tuple[RowIds, dict[int, pa.Array]]:
    """Row ids and columns by id of an operation's batch."""
    row_ids = np.asarray(batch.column(ROW_ID).to_numpy(), dtype=np.uint64)
    return row_ids, {int(name): batch.column(name) for name in batch.schema.names if name != ROW_ID}


def picked_projection(table: TableVersion, *, needed: set[int], constrained: set[int]) -> ProjectionVersion | None:
    """The projection that serves a query better than the table itself: it has every column, and one of the query's
    constrained columns leads its order but not the table's. Small tables are read as they are."""
    if table.rows.count < ROW_GROUP or (table.key and table.key[0] in constrained):
        return None
    for each in table.projections:
        if each.key and each.key[0] in constrained and needed <= set(each.columns):
            return each
    return None


def _is_touched(projection: ProjectionVersion, touched: Iterable[int] | None) -> bool:
    return touched is None or not set(touched).isdisjoint(projection.columns)
