"""The rows of a table or projection: row groups in the order of the sort key and row id, each version immutable."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa

from vast_emulator.engine.chunk import ROW_IDS, ChunkData, Positions, RowIds
from vast_emulator.engine.group import MAX_BYTES, Group, Layout, Part, bytes_of, part, rows_of
from vast_emulator.engine.port import ROW_GROUP
from vast_emulator.engine.values import ABOVE, Key


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

    def locate(self, row_ids: RowIds) -> Iterator[tuple[int, int, Positions]]:
        """Where those of the row ids (ascending) are that are alive: group, part and positions."""
        for number, group in enumerate(self.groups):
            for place, each in enumerate(group):
                positions = each.locate(row_ids)
                if len(positions):
                    yield number, place, positions

    def fetch(self, layout: Layout, row_ids: RowIds) -> tuple[RowIds, dict[int, pa.Array]]:
        """Those of the rows that are here, by ascending row id."""
        hits = [(self.groups[number][place], at) for number, place, at in self.locate(row_ids)]
        if not hits:
            return np.zeros(0, np.uint64), {column.id: pa.nulls(0, column.field.type) for column in layout.columns}
        found, columns = layout.gather(hits)
        order = np.argsort(found)
        return found[order], {id: array.take(pa.array(order)) for id, array in columns.items()}

    def without(self, layout: Layout, row_ids: RowIds) -> "Rows":
        """Without those of the row ids (ascending) that are here."""
        groups: dict[int, list[Part]] = {}
        removed = 0
        for number, place, positions in self.locate(row_ids):
            parts = groups.setdefault(number, list(self.groups[number]))
            parts[place] = parts[place].without(positions)
            removed += len(positions)
        changed = {number: layout.tidy(tuple(parts)) for number, parts in groups.items()}
        kept = [changed.get(number, group) for number, group in enumerate(self.groups)]
        alive = [number for number, group in enumerate(kept) if group]
        bounds = tuple(() if not place else self.bounds[number] for place, number in enumerate(alive))
        return replace(self, groups=tuple(kept[number] for number in alive), bounds=bounds, count=self.count - removed)

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
                stop = first_from(data, key, bounds[number + 1], within=range(start, stop))
            piece = {id: array.slice(start, stop - start) for id, array in columns.items()}
            added = part(layout.store.make(row_ids[start:stop], piece, key=layout.key))
            pieces = _fitted(layout, (*groups[number], added), is_last=number + 1 == len(bounds))
            groups[number : number + 1] = [group for group, _ in pieces]
            bounds[number + 1 : number + 1] = [bound for _, bound in pieces[1:]]
            start = stop
        return Rows(tuple(groups), tuple(bounds), self.count + len(row_ids))


def first_from(data: ChunkData, columns: tuple[int, ...], bound: Key, *, within: range) -> int:
    """The first position of sorted rows whose key is not below `bound`."""
    low, high = within.start, within.stop
    while low < high:
        middle = (low + high) // 2
        if data.key(middle, columns) < bound:
            low = middle + 1
        else:
            high = middle
    return low


def _fitted(layout: Layout, group: Group, *, is_last: bool) -> list[tuple[Group, Key]]:
    """The group, or the groups that it has to be cut into, each with the key of its first row."""
    rows, size = rows_of(group), bytes_of(group)
    if rows <= ROW_GROUP and (size <= MAX_BYTES or rows == 1):
        return [(layout.tidy(group), ())]
    pieces = max(-(-rows // ROW_GROUP), -(-size // MAX_BYTES))
    # Rows that keep coming at the end leave full groups behind, others come back to any of them.
    at_most = ROW_GROUP if is_last and size <= MAX_BYTES else -(-rows // pieces)
    key = (*layout.key, ROW_IDS)
    return [((each,), each.chunk.data().key(0, key)) for each in layout.merged(group, at_most=at_most)]
