"""The rows of a table or projection: row groups in the order of the sort key and row id, each version immutable."""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from vast_emulator.engine.chunk import ROW_IDS, ChunkData, Columns, Positions, RowIds
from vast_emulator.engine.group import MAX_BYTES, Group, Layout, Part, bytes_of, part, rows_of
from vast_emulator.engine.values import ABOVE, Key

Found: TypeAlias = list[tuple[int, int, Positions]]
"""Located rows: group, part, and positions in it."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Groups by ascending keys: group i holds keys from `bounds[i]` up to, and without, `bounds[i + 1]`."""

    groups: tuple[Group, ...] = ()
    bounds: tuple[Key, ...] = ()
    count: int = 0

    @property
    def bytes(self) -> int:
        """Bytes held, the dead included."""
        return sum(map(bytes_of, self.groups))

    def between(self, low: Key, high: Key) -> range:
        """Groups that may hold keys whose first elements lie from `low` to `high`, both included."""
        first = max(0, bisect_right(self.bounds, low) - 1)
        return range(first, bisect_right(self.bounds, (*high, ABOVE)))

    def locate(self, row_ids: RowIds) -> Found:
        """Where those of the row ids (ascending) are that are alive."""
        found = []
        if len(row_ids):
            low, high = int(row_ids[0]), int(row_ids[-1])
            for number, group in enumerate(self.groups):
                for place, each in enumerate(group):
                    if each.chunk.low <= high and each.chunk.high >= low:
                        positions = each.locate(row_ids)
                        if len(positions):
                            found.append((number, place, positions))
        return found

    def fetch(self, layout: Layout, found: Found) -> tuple[RowIds, dict[int, pa.Array]]:
        """The located rows, by ascending row id."""
        if not found:
            return np.zeros(0, np.uint64), {column.id: pa.nulls(0, column.field.type) for column in layout.columns}
        row_ids, columns = layout.gather([(self.groups[number][place], at) for number, place, at in found])
        order = np.argsort(row_ids)
        return row_ids[order], {id: array.take(pa.array(order)) for id, array in columns.items()}

    def without(self, layout: Layout, found: Found) -> "Rows":
        """Without the located rows."""
        groups: dict[int, list[Part]] = {}
        for number, place, positions in found:
            parts = groups.setdefault(number, list(self.groups[number]))
            parts[place] = parts[place].without(positions)
        changed = {number: layout.tidy(tuple(parts)) for number, parts in groups.items()}
        kept = [changed.get(number, group) for number, group in enumerate(self.groups)]
        alive = [number for number, group in enumerate(kept) if group]
        bounds = tuple(() if not place else self.bounds[number] for place, number in enumerate(alive))
        removed = sum(len(positions) for _, _, positions in found)
        return Rows(tuple(kept[number] for number in alive), bounds, self.count - removed)

    def with_rows(self, layout: Layout, row_ids: RowIds, *, columns: dict[int, pa.Array]) -> "Rows":
        """With new rows, each in the group of its key."""
        if not len(row_ids):
            return self
        order = layout.order(row_ids, columns)
        if bool(np.any(order[1:] < order[:-1])):
            row_ids = row_ids[order]
            columns = {id: array.take(pa.array(order)) for id, array in columns.items()}
        data = ChunkData(row_ids, columns)
        key = (*layout.key, ROW_IDS)
        groups, bounds = list(self.groups or ((),)), list(self.bounds or ((),))
        start = 0
        while start < len(row_ids):
            number = bisect_right(bounds, data.key(start, key)) - 1
            stop = len(row_ids)
            if number + 1 < len(bounds):
                stop = first_from(data, bounds[number + 1], columns=key, within=range(start, stop))
            added = part(layout.store.make(*_piece(data, start, stop=stop), key=layout.key))
            pieces = _fitted(layout, (*groups[number], added), is_last=number + 1 == len(bounds))
            groups[number : number + 1] = [group for group, _ in pieces]
            bounds[number + 1 : number + 1] = [bound for _, bound in pieces[1:]]
            start = stop
        return Rows(tuple(groups), tuple(bounds), self.count + len(row_ids))


def first_from(data: ChunkData, bound: Key, *, columns: tuple[int, ...], within: range) -> int:
    """The first position of sorted rows whose key over `columns` is not below `bound`."""
    return bisect_left(within, bound, key=lambda position: data.key(position, columns)) + within.start


def first_past(data: ChunkData, bound: Key, *, columns: tuple[int, ...], within: range) -> int:
    """The first position of sorted rows whose key over `columns` is above `bound`."""
    return bisect_right(within, bound, key=lambda position: data.key(position, columns)) + within.start


def _piece(data: ChunkData, start: int, *, stop: int) -> tuple[RowIds, Columns]:
    """Some of the rows, as copies: they must not keep the memory of the others."""
    if stop - start == len(data.row_ids):
        return data.row_ids, data.columns
    places = pa.array(np.arange(start, stop))
    return data.row_ids[start:stop].copy(), {id: array.take(places) for id, array in data.columns.items()}


def _fitted(layout: Layout, group: Group, *, is_last: bool) -> list[tuple[Group, Key]]:
    """The group, or the groups that it has to be cut into, each with the key of its first row."""
    rows, size, most = rows_of(group), bytes_of(group), layout.store.group_rows
    if rows <= most and (size <= MAX_BYTES or rows == 1):
        return [(layout.tidy(group), ())]
    pieces = max(-(-rows // most), -(-size // MAX_BYTES))
    # Rows that keep coming at the end leave full groups behind, others come back to any of them.
    at_most = most if is_last and size <= MAX_BYTES else -(-rows // pieces)
    key = (*layout.key, ROW_IDS)
    return [((each,), each.chunk.data().key(0, key)) for each in layout.merged(group, at_most=at_most)]
