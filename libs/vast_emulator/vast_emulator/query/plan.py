"""A query bound to a table: what the engine selects, and which leaves travel in which order."""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa

from vast_emulator.engine.port import ROW_ID, Page, Selection, Split, Table
from vast_emulator.query.conditions import bind
from vast_emulator.query.leaves import contiguous, cut
from vast_emulator.query.nodes import Node, nodes
from vast_emulator.refusals import refusal
from vast_emulator.wire.framing import only_count, window
from vast_emulator.wire.relation import Asked


@dataclass(frozen=True)
class Reading:
    """How a query is read: the request's headers and parameters beside its body."""

    split: Split
    limit: int
    projection: str | None
    use_projections: bool


@dataclass(frozen=True)
class Plan:
    """The engine's part of a query, and the leaves of its answer."""

    selection: Selection
    leaves: tuple[Node, ...]
    row_id_type: pa.DataType

    @staticmethod
    def make(asked: Asked, table: Table, *, reading: Reading) -> "Plan":
        """Raises a refusal: 404 for a column that the table does not have, 400 and 501 as the filter does."""
        known = nodes([_field(name, table) for name in asked.columns])
        if any(not 0 <= position < len(known) or not known[position].leaf for position in asked.projection):
            raise refusal(
                400, "InvalidArgument", message="the projection names a position that is no leaf of the query"
            )
        leaves = tuple(known[position] for position in asked.projection)
        selection = Selection(
            columns=tuple(dict.fromkeys(leaf.column for leaf in leaves)),
            where=None if asked.filter is None else bind(asked.filter, known),
            split=reading.split,
            limit=reading.limit,
            projection=reading.projection,
            use_projections=reading.use_projections,
        )
        return Plan(selection, leaves, table.row_id_type)

    def frames(self, page: Page) -> Iterator[bytes]:
        """One page as it travels, a frame for each leaf."""
        return window(page.sub_split, page.next_row, columns=list(self._columns(page.rows)))

    def _columns(self, rows: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
        if not self.leaves:
            yield only_count(rows.num_rows)
            return
        tops = {name: self._top(name, rows) for name in self.selection.columns}
        for leaf in self.leaves:
            array = cut(tops[leaf.column], leaf.way)
            yield pa.RecordBatch.from_arrays([array], names=[leaf.column])

    def _top(self, name: str, rows: pa.RecordBatch) -> pa.Array:
        column = rows.column(name)
        return contiguous(column.cast(self.row_id_type) if name == ROW_ID else column)


def _field(name: str, table: Table) -> pa.Field:
    if name == ROW_ID:
        return pa.field(ROW_ID, table.row_id_type)
    number = table.schema.get_field_index(name)
    if number < 0:
        raise refusal(404, "NoSuchColumn", message=f"no column {name}")
    return table.schema.field(number)
